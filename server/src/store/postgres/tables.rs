//! The application's tables and columns: their names, and how they stand in SQL.

use std::fmt;
use std::str::FromStr;

/// PostgreSQL cuts longer names, so two could become one.
const NAME_BYTES_MAX: usize = 63;

/// Why a name is not one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is no name of a table or column.
    #[error("`{0}` is not a name of 1 to 63 bytes without a null character")]
    Name(String),
    /// There is no such column of ours.
    #[error("`{0}` is not one of: {names}", names = COLUMNS.join(", "))]
    Column(String),
    /// There is no `=`.
    #[error("`{0}` does not look like sender_id=author")]
    Pair(String),
}

/// A name of a column, a table or a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(String);

impl Name {
    /// Returns the name as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns it as an SQL text.
    pub(super) fn text(&self) -> String {
        text(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(NameError::Name(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

/// As it stands in SQL.
impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// Returns an SQL text.
pub(super) fn text(words: &str) -> String {
    format!("'{}'", words.replace('\'', "''"))
}

/// A table, with its schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableName {
    schema: Name,
    table: Name,
}

impl TableName {
    /// Returns it as an SQL text, which `::regclass` reads.
    pub(super) fn text(&self) -> String {
        text(&self.to_string())
    }
}

/// Reads `public.messages`, or `messages`, which is in `public`.
impl FromStr for TableName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let (schema, table) = name.split_once('.').unwrap_or(("public", name));
        Ok(Self {
            schema: schema.parse()?,
            table: table.parse()?,
        })
    }
}

/// As it stands in SQL.
impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.table)
    }
}

/// The columns of a message, as they are called here.
pub(super) const COLUMNS: [&str; 10] = [
    "id",
    "thread_id",
    "sender_id",
    "body",
    "created_at",
    "attachments",
    "edited_at",
    "sequence_number",
    "revision",
    "client_msg_id",
];

/// How many of [`COLUMNS`] must be there before the migration; it adds the others.
pub(super) const NEEDED: usize = 5;

/// Which column of the application's table is which of ours: `sender_id=author`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renamed {
    ours: &'static str,
    theirs: Name,
}

impl FromStr for Renamed {
    type Err = NameError;

    fn from_str(pair: &str) -> Result<Self, NameError> {
        let (ours, theirs) = pair
            .split_once('=')
            .ok_or_else(|| NameError::Pair(pair.to_owned()))?;
        let known = COLUMNS.into_iter().find(|known| *known == ours);
        Ok(Self {
            ours: known.ok_or_else(|| NameError::Column(ours.to_owned()))?,
            theirs: theirs.parse()?,
        })
    }
}

/// The application's table that says who takes part in which thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParticipantsTable {
    /// The table.
    pub table: TableName,
    /// Its column with the thread.
    pub thread_id: Name,
    /// Its columns with a person: one where each has a row, two where a row is a pair.
    pub user_ids: Vec<Name>,
}

/// Where messages are, and who may read them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tables {
    /// The messages.
    pub messages: TableName,
    /// The names of [`COLUMNS`] in that table.
    columns: Vec<Name>,
    /// Who takes part; without it, whoever has written does.
    pub participants: Option<ParticipantsTable>,
}

impl Default for Tables {
    fn default() -> Self {
        let name = |name: &str| Name(name.to_owned());
        Self {
            messages: TableName {
                schema: name("public"),
                table: name("messages"),
            },
            columns: COLUMNS.into_iter().map(name).collect(),
            participants: None,
        }
    }
}

impl Tables {
    /// Names a column otherwise.
    pub fn rename(&mut self, renamed: Renamed) {
        let mut columns = COLUMNS.iter().zip(&mut self.columns);
        if let Some((_, column)) = columns.find(|(ours, _)| **ours == renamed.ours) {
            *column = renamed.theirs;
        }
    }

    /// Returns our names of the columns and the table's.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'static str, &Name)> {
        COLUMNS.into_iter().zip(&self.columns)
    }

    /// Puts the names into a template: `{{thread_id}}` becomes `"thread_id"`, `{{thread_id_text}}`
    /// `'thread_id'`, `{{messages}}` `"public"."messages"`.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut filled = template
            .replace("{{messages}}", &self.messages.to_string())
            .replace("{{messages_text}}", &self.messages.text())
            // Inside a text that `format` reads.
            .replace(
                "{{messages_format}}",
                &self
                    .messages
                    .to_string()
                    .replace('%', "%%")
                    .replace('\'', "''"),
            );
        for (ours, theirs) in self.columns() {
            filled = filled
                .replace(&format!("{{{{{ours}}}}}"), &theirs.to_string())
                .replace(&format!("{{{{{ours}_text}}}}"), &theirs.text());
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let evil: TableName = "public.x\"; DROP TABLE y; --".parse().unwrap();
        assert_eq!(evil.to_string(), "\"public\".\"x\"\"; DROP TABLE y; --\"");
        assert_eq!(evil.text(), "'\"public\".\"x\"\"; DROP TABLE y; --\"'");
        assert_eq!(text("it's"), "'it''s'");
        for bad in ["", ".", "a.", &"x".repeat(64), "a\0b"] {
            assert!(bad.parse::<TableName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn columns_have_the_names_that_the_application_gave_them() {
        let mut tables = Tables::default();
        tables.rename("sender_id=author".parse().unwrap());
        assert_eq!(
            tables.fill("{{messages}} {{sender_id}} {{sender_id_text}} {{id}}"),
            "\"public\".\"messages\" \"author\" 'author' \"id\""
        );
        assert!("author=sender_id".parse::<Renamed>().is_err());
        assert!("sender_id".parse::<Renamed>().is_err());
    }
}
