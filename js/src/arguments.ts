import { RejoinderError } from './errors.js';
import type { Attachment, TokenSource } from './types.js';

/** Threads and users are named alike. */
const ID = /^[A-Za-z0-9_.:|-]{1,128}$/;

/** Returns whether a text can be the id of a thread or a user. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** Returns the error that names a wrong argument. */
export function invalid(name: string, problem: string): RejoinderError {
  return new RejoinderError('invalid_argument', `${name} ${problem}.`);
}

/** Checks the id of a thread or a user. */
export function checkId(value: unknown, name: string): asserts value is string {
  if (!isId(value)) throw invalid(name, 'must be a string of 1 to 128 of A-Z a-z 0-9 _ . : | -');
}

/** Checks a text. */
export function checkText(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalid(name, 'must be a string');
}

/** Checks a boolean. */
export function checkBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalid(name, 'must be a boolean');
}

/** Checks a function. */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw invalid(name, 'must be a function');
}

/** Checks what `connect` takes. */
export function checkToken(value: unknown): asserts value is TokenSource {
  const isText = typeof value === 'string' && value !== '';
  if (!isText && typeof value !== 'function') {
    throw invalid('token', 'must be a string that is not empty, or a function that brings one');
  }
}

/**
 * Puts U+FFFD in the place of each lone surrogate, which is no Unicode and cannot be sent. Done
 * first, so that what is shown at once is what everybody will read.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** Returns clean copies of the attachments, so that the caller may change theirs. */
export function checkAttachments(value: unknown): readonly Attachment[] {
  if (!Array.isArray(value)) throw invalid('attachments', 'must be an array');
  return value.map((one: unknown, index) => checkAttachment(one, `attachments[${index}]`));
}

function checkAttachment(value: unknown, name: string): Attachment {
  if (typeof value !== 'object' || value === null) throw invalid(name, 'must be an object');
  const fields = value as Record<string, unknown>;
  const text = (field: string) => {
    const found = fields[field];
    checkText(found, `${name}.${field}`);
    return wellFormed(found);
  };
  const { sizeBytes } = fields;
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw invalid(`${name}.sizeBytes`, 'must be a whole number of bytes');
  }
  return { name: text('name'), mimeType: text('mimeType'), sizeBytes, url: text('url') };
}
