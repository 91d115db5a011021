//! Connections: their number, their timeouts and their end.
//!
//! Invariant: a client that sends nothing, sends its headers too slowly, or reads nothing of its answer loses its
//! connection. On shutdown no new connection is accepted, and each open one still gets the answer that it waits for.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use kortom::platform::asked_to_end;

/// The longest time in which a client may send the headers of a request, send a further request, or read a piece of
/// an answer; the limit of a request's time may be shorter.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most connections at one time; further ones wait. Systems often allow a process about a thousand open files.
const MOST: usize = 900;
/// The pause after the system could not accept a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers on all connections until the process receives a signal to end. `time` is the longest time of a request.
///
/// # Errors
/// When no handler for signals can be installed.
pub async fn serve(listener: TcpListener, router: Router, time: Duration) -> Result<()> {
    let places = Arc::new(Semaphore::new(MOST));
    let connections = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    let timeout = TIMEOUT.min(time);
    builder.timer(TokioTimer::new()).header_read_timeout(timeout);
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
        // Without Nagle's algorithm, small events are sent at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(with_write_timeout(stream, timeout));
        let connection = connections.watch(builder.serve_connection(stream, service));
        tokio::spawn(async move {
            // An error here means that the client has gone, which needs no action.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => Ok(()),
        // A client that does not read its answer is not waited for. A second signal ends the process at once.
        () = tokio::time::sleep(time + timeout) => Ok(()),
        asked = asked_to_end() => Ok(asked?),
    }
}

/// A connection that fails when the client reads nothing for `timeout`. A client that reads slowly but steadily keeps
/// it.
fn with_write_timeout(stream: TcpStream, timeout: Duration) -> Pin<Box<TimeoutStream<TcpStream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeout));
    Box::pin(stream)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{self, ErrorKind, Read};
    use std::{net, thread};

    use tokio::io::AsyncWrite;

    use super::*;

    /// Sends `pieces` pieces to a client, and gives the outcome.
    fn send(pieces: usize, client: impl FnOnce(net::TcpStream) + Send + 'static) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let client = thread::spawn(move || client(net::TcpStream::connect(address).unwrap()));
            let mut connection = with_write_timeout(listener.accept().await?.0, Duration::from_millis(300));
            for _ in 0..pieces {
                poll_fn(|context| connection.as_mut().poll_write(context, &vec![0; 1 << 20])).await?;
            }
            drop(connection);
            client.join().unwrap();
            Ok(())
        })
    }

    #[test]
    fn who_reads_nothing_is_not_waited_for() {
        let (stay, stayed) = std::sync::mpsc::channel::<()>();
        let sent = send(1000, move |stream| {
            let _ = stayed.recv();
            drop(stream);
        });
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::TimedOut);
        drop(stay);
    }

    #[test]
    fn who_reads_slowly_is_waited_for() {
        let sent = send(20, |mut stream| {
            let mut piece = vec![0; 1 << 20];
            while stream.read(&mut piece).unwrap() > 0 {
                thread::sleep(Duration::from_millis(20));
            }
        });
        sent.unwrap();
    }
}
