//! What the process is asked by signals.

#[cfg(unix)]
use std::sync::Arc;

#[cfg(unix)]
use rejoinder_gateway::shell::Tls;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

/// From now on the certificate is read again whenever the process is asked to.
#[cfg(unix)]
pub(crate) fn hang_up(tls: Option<Arc<Tls>>) -> std::io::Result<()> {
    let mut asked = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            match &tls {
                Some(tls) => tls.ask_to_reload(),
                None => tracing::info!("SIGHUP: there is no certificate to read again"),
            }
        }
    });
    Ok(())
}

/// Is ready when the process is asked to end.
pub(crate) async fn stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
