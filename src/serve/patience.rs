//! A connection that waits for its client, but not forever.
//!
//! Invariant: a client that takes nothing of what it is sent for some time loses the connection, and with it its place among
//! them; one that reads slowly but steadily does not.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A connection and how long it waits.
pub struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Runs out when the client has taken nothing for so long.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// One that waits so long.
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    /// What came of a try to write, unless nothing has come of any for too long.
    fn bounded<T>(&mut self, context: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.waiting = None;
            return tried;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(context).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.bounded(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;
    use std::net;
    use std::thread;

    use tokio::net::TcpListener;

    use super::*;

    /// What becomes of so many pieces that are sent to a client.
    fn send(pieces: usize, client: impl FnOnce(net::TcpStream) + Send + 'static) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let client = thread::spawn(move || client(net::TcpStream::connect(address).unwrap()));
            let mut connection = Patient::new(listener.accept().await?.0, Duration::from_millis(300));
            for _ in 0..pieces {
                poll_fn(|context| Pin::new(&mut connection).poll_write(context, &vec![0; 1 << 20])).await?;
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
