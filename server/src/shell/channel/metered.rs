//! A connection on which every byte is looked at before it is read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::{Breach, Framing, MessageLimits};

/// Reads of it fail with a [`Breach`] once there is one; what came before is read.
#[derive(Debug)]
pub(super) struct Metered<S> {
    inner: S,
    framing: Framing,
    breach: Option<Breach>,
    /// A message that takes longer from its first byte to its last is a breach.
    patience: Duration,
    /// When the message under way must be finished; only while there is one.
    deadline: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, limits: MessageLimits, patience: Duration) -> Self {
        Self {
            inner,
            framing: Framing::new(limits),
            breach: None,
            patience,
            deadline: None,
        }
    }

    /// Gives the message under way more time: for so long it was not read.
    pub(super) fn excuse(&mut self, pause: Duration) {
        if let Some((_, deadline)) = &mut self.deadline {
            let later = deadline.deadline() + pause;
            deadline.as_mut().reset(later);
        }
    }

    /// Returns the connection itself, to read what nobody looks at any more.
    pub(super) fn inner(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Follows what was read into a buffer; keeps back what is behind a breach.
    fn arrived(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if let Err((taken, breach)) = self.framing.take(arrived) {
            self.breach = Some(breach);
            buffer.set_filled(before + taken);
            if taken == 0 {
                return Err(io::Error::other(breach));
            }
        }
        let known = self.deadline.as_ref().map(|(message, _)| *message);
        let under_way = self.framing.under_way();
        if known != under_way {
            let timed = |message| (message, Box::pin(sleep(self.patience)));
            self.deadline = under_way.map(timed);
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(breach) = this.breach {
            return Poll::Ready(Err(io::Error::other(breach)));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.inner).poll_read(context, buffer) {
            return Poll::Ready(read.and_then(|()| this.arrived(buffer, before)));
        }
        // Only now: what waits to be read is not late because we are.
        let Some((_, deadline)) = &mut this.deadline else {
            return Poll::Pending;
        };
        ready!(deadline.as_mut().poll(context));
        this.breach = Some(Breach::TooSlow);
        Poll::Ready(Err(io::Error::other(Breach::TooSlow)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const LIMITS: MessageLimits = MessageLimits {
        first_bytes_max: 100,
        bytes_max: 100,
    };
    const PATIENCE: Duration = Duration::from_millis(10);
    const LONGER: Duration = Duration::from_millis(50);

    /// A connection on which the first byte of a message has been read.
    async fn begun() -> (Metered<DuplexStream>, DuplexStream) {
        let (ours, mut theirs) = duplex(1_000);
        let mut metered = Metered::new(ours, LIMITS, PATIENCE);
        theirs.write_all(&[0x81]).await.unwrap();
        assert_eq!(metered.read_u8().await.unwrap(), 0x81);
        (metered, theirs)
    }

    fn breach(error: &io::Error) -> Option<&Breach> {
        error.get_ref()?.downcast_ref()
    }

    #[tokio::test]
    async fn a_message_that_is_not_finished_is_a_breach() {
        let (mut metered, _theirs) = begun().await;
        for _ in 0..2 {
            let error = metered.read_u8().await.unwrap_err();
            assert_eq!(breach(&error), Some(&Breach::TooSlow));
        }
    }

    #[tokio::test]
    async fn what_waits_to_be_read_is_not_late() {
        let (mut metered, mut theirs) = begun().await;
        sleep(LONGER).await;
        theirs.write_all(&[0x80, 1, 2, 3, 4]).await.unwrap();
        let mut rest = [0; 5];
        metered.read_exact(&mut rest).await.unwrap();
        let silence = timeout(LONGER, metered.read_u8()).await;
        assert!(silence.is_err(), "nothing is under way");
    }

    #[tokio::test]
    async fn whoever_was_not_read_is_excused() {
        let (mut metered, _theirs) = begun().await;
        metered.excuse(Duration::from_secs(3_600));
        let waiting = timeout(LONGER, metered.read_u8()).await;
        assert!(waiting.is_err(), "it is waited for");
    }

    #[tokio::test]
    async fn what_came_before_a_breach_is_read() {
        let (ours, mut theirs) = duplex(1_000);
        let mut metered = Metered::new(ours, LIMITS, PATIENCE);
        let ping = [0x89, 0x80, 1, 2, 3, 4];
        let too_long = [0x81, 0xfe, 0xff, 0xff, 1, 2, 3, 4];
        theirs
            .write_all(&[&ping[..], &too_long].concat())
            .await
            .unwrap();
        let mut read = [0; 6];
        metered.read_exact(&mut read).await.unwrap();
        assert_eq!(read, ping);
        let mut rest = Vec::new();
        let error = metered.read_to_end(&mut rest).await.unwrap_err();
        assert_eq!(breach(&error), Some(&Breach::FirstTooLong));
    }
}
