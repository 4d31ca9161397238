//! Choices made out of a fuzzer's bytes. When they have run out, every choice is the first one.

use arbitrary::Unstructured;

/// Bytes that have not been used yet.
pub(crate) struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    /// Whether every further choice is the first one.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.int_in_range(0..=end - 1).unwrap_or(0)
    }

    /// A number of up to 53 bits, of any length.
    pub(crate) fn number(&mut self) -> u64 {
        let bits = self.below(54);
        self.below(1 << bits)
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub(crate) fn of<T: Clone>(&mut self, items: &[T]) -> T {
        let index = self.below(items.len() as u64);
        items[usize::try_from(index).unwrap()].clone()
    }

    /// Up to so many bytes, as they are.
    pub(crate) fn bytes(&mut self, most: u64) -> &'a [u8] {
        let wanted = usize::try_from(self.below(most + 1)).unwrap();
        let length = wanted.min(self.0.len());
        self.0.bytes(length).unwrap_or_default()
    }

    /// Up to so many bytes as text.
    pub(crate) fn text(&mut self, most: u64) -> String {
        String::from_utf8_lossy(self.bytes(most)).into_owned()
    }
}
