//! Connections: taken while there is a place, given TLS where it is ours to give, and finished when the
//! gateway stops.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutWriter;

use super::Tls;
use super::addresses::Addresses;
use super::visitor::Visitor;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: u32 = 16_384;
/// Whoever has not sent a request's head by then is closed; the same for a handshake of TLS.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A request's head, in bytes: a token of 8 KiB and what browsers add.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Whoever takes nothing of what is written for so long is gone …
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// … and so is a machine that does not even confirm that it got it. Longer than a network is away when
/// somebody walks from one to the next.
#[cfg(target_os = "linux")]
const UNCONFIRMED_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that were taken.
pub(super) struct Connections {
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Connections {
    /// Lets requests that are under way be answered, and waits until no connection is left.
    pub(super) async fn finish(self) {
        self.stopping.send_replace(true);
        let _ = self.places.acquire_many(CONNECTIONS_MAX).await;
    }
}

/// Takes connections until `stop` is ready; none is taken after that.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    addresses: Arc<Addresses>,
    app: Router,
    stop: impl Future<Output = ()>,
) -> Connections {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let (stopping, is_stopping) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let peer = peer.ip();
                let Ok(of_address) = addresses.enter(addresses.of_connection(peer)) else {
                    // Closed without a word: a stranger's flood is not worth more.
                    continue;
                };
                let visitor = Visitor::new(peer, place, of_address);
                let (app, tls, is_stopping) = (app.clone(), tls.clone(), is_stopping.clone());
                tokio::spawn(connection(stream, visitor, tls, app, is_stopping));
            }
            (Err(_), _) => break,
            (Ok(_), Err(error)) => {
                // Out of file descriptors, for example: give others the time to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    Connections { places, stopping }
}

async fn connection(
    stream: TcpStream,
    visitor: Visitor,
    tls: Option<Arc<Tls>>,
    app: Router,
    is_stopping: watch::Receiver<bool>,
) {
    // Frames are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNCONFIRMED_TIMEOUT));
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_TIMEOUT));
    let stream = Box::pin(stream);
    let Some(tls) = tls else {
        return serve(stream, visitor, app, is_stopping).await;
    };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, visitor, app, is_stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, "a handshake of TLS failed"),
        Err(_) => tracing::debug!("a handshake of TLS took too long"),
    }
}

async fn serve<S>(stream: S, visitor: Visitor, app: Router, mut is_stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX);
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(visitor.clone());
        app.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let asked = async { drop(is_stopping.wait_for(|is_stopping| *is_stopping).await) };
    let served = tokio::select! {
        served = &mut connection => served,
        () = asked => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
}
