/** The core, gzipped and in base64; written by `npm run build`. */
declare const gzipped: string;
export default gzipped;
