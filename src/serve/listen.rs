//! Connections: how many, how slow, and how they end.
//!
//! Invariant: whoever sends nothing, or a head byte by byte, or takes nothing of its answer, loses the connection; at the end
//! no new one is taken, and each open one gets the answer it waits for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::patience::Patient;

/// How long a client may take to send the head of a request, to send another one, or to take a piece of an answer; less where
/// a request may not take as long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections at once; further ones wait. Systems often allow a process about a thousand files.
const MOST: usize = 900;
/// How long to wait when the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers on all connections until the process is asked to end; `time` is what a request may take.
///
/// # Errors
/// When the system has no signals.
pub async fn serve(listener: TcpListener, router: Router, time: Duration) -> Result<()> {
    let places = Arc::new(Semaphore::new(MOST));
    let connections = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    let patience = PATIENCE.min(time);
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut end = pin!(asked_to_end());
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place?,
            asked = &mut end => break asked?,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            asked = &mut end => break asked?,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // An event is small and is to arrive at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection =
            connections.watch(builder.serve_connection(TokioIo::new(Patient::new(stream, patience)), service));
        tokio::spawn(async move {
            // That a client has gone is not our affair.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => Ok(()),
        // Whoever does not read its answer is not waited for, and who asks twice is in a hurry.
        () = tokio::time::sleep(time + patience) => Ok(()),
        asked = asked_to_end() => asked,
    }
}

/// Waits until somebody interrupts or ends the process.
async fn asked_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
