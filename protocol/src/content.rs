//! What a person may put into a message, checked alike before it is queued and when it arrives.

use serde::{Deserialize, Serialize};

use crate::{ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX, BODY_BYTES_MAX, ErrorCode};

/// A file that a message points to. The file itself lives elsewhere.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Attachment {
    /// The file's name, as a person sees it.
    pub name: String,
    /// Its media type, for example `image/png`.
    pub mime_type: String,
    /// Its size in bytes, below 2^53.
    pub size_bytes: u64,
    /// Where it can be fetched. Data, not markup: whoever renders it decides which schemes to link.
    pub url: String,
}

/// Why a message cannot be sent as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContentError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("the body is {0} bytes, the limit is {BODY_BYTES_MAX}")]
    BodyTooLarge(usize),
    /// More than [`ATTACHMENTS_MAX`] attachments.
    #[error("{0} attachments, the limit is {ATTACHMENTS_MAX}")]
    TooManyAttachments(usize),
    /// The attachments are longer than [`ATTACHMENTS_BYTES_MAX`] as JSON.
    #[error("the attachments are {0} bytes as JSON, the limit is {ATTACHMENTS_BYTES_MAX}")]
    AttachmentsTooLarge(usize),
    /// U+0000 somewhere: PostgreSQL cannot store it, so no store may accept it.
    #[error("a message cannot hold the character U+0000")]
    Nul,
    /// A size of 2^53 or more.
    #[error("a size in bytes stays below 2^53")]
    Size,
    /// Neither text nor attachment.
    #[error("a message needs a body or an attachment")]
    Empty,
}

impl ContentError {
    /// Returns the code that the gateway answers with.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::BodyTooLarge(_) | Self::TooManyAttachments(_) | Self::AttachmentsTooLarge(_) => {
                ErrorCode::TooLarge
            }
            Self::Nul | Self::Size | Self::Empty => ErrorCode::Invalid,
        }
    }
}

/// Checks what a person wrote.
///
/// # Errors
///
/// The first rule of [`ContentError`] that is broken.
pub fn check_content(body: &str, attachments: &[Attachment]) -> Result<(), ContentError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ContentError::BodyTooLarge(body.len()));
    }
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(ContentError::TooManyAttachments(attachments.len()));
    }
    let attachments_bytes: usize = attachments
        .iter()
        .map(|one| crate::encode(one).len() + 1)
        .sum();
    if attachments_bytes > ATTACHMENTS_BYTES_MAX {
        return Err(ContentError::AttachmentsTooLarge(attachments_bytes));
    }
    let texts = attachments
        .iter()
        .flat_map(|one| [&one.name, &one.mime_type, &one.url]);
    if body.contains('\0') || texts.into_iter().any(|text| text.contains('\0')) {
        return Err(ContentError::Nul);
    }
    if attachments.iter().any(|one| one.size_bytes >= 1 << 53) {
        return Err(ContentError::Size);
    }
    if body.trim().is_empty() && attachments.is_empty() {
        return Err(ContentError::Empty);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &str) -> Attachment {
        Attachment {
            name: name.into(),
            mime_type: "image/png".into(),
            size_bytes: 1,
            url: "https://files.example/1".into(),
        }
    }

    #[test]
    fn content_is_bounded() {
        let emoji = "😀".repeat(BODY_BYTES_MAX / 4);
        assert_eq!(check_content(&emoji, &[]), Ok(()));
        let longer = format!("{emoji}x");
        assert_eq!(
            check_content(&longer, &[]),
            Err(ContentError::BodyTooLarge(longer.len()))
        );
        assert_eq!(
            check_content("x", &vec![attachment("a"); 17]),
            Err(ContentError::TooManyAttachments(17))
        );
        let big = attachment(&"n".repeat(ATTACHMENTS_BYTES_MAX));
        assert_eq!(
            check_content("x", &[big]).unwrap_err().code(),
            ErrorCode::TooLarge
        );
    }

    #[test]
    fn content_is_text() {
        assert_eq!(check_content("a\0b", &[]), Err(ContentError::Nul));
        assert_eq!(
            check_content("x", &[attachment("a\0")]),
            Err(ContentError::Nul)
        );
        assert_eq!(check_content(" \n", &[]), Err(ContentError::Empty));
        assert_eq!(check_content("", &[attachment("a")]), Ok(()));
        let huge = Attachment {
            size_bytes: 1 << 53,
            ..attachment("a")
        };
        assert_eq!(check_content("", &[huge]), Err(ContentError::Size));
        for verbatim in [
            "\u{202e}rtl",
            "<img onerror=x>",
            "'; DROP TABLE",
            "\u{1}\u{7f}",
        ] {
            assert_eq!(check_content(verbatim, &[]), Ok(()), "{verbatim:?}");
        }
    }
}
