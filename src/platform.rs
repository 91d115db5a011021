//! What differs between operating systems: disks, links, private files, and signals that end a program.
//!
//! Responsible for every question of which system this is, except for those of processors and memory, which `kernels`,
//! `model::storage` and the allocator ask. So a port to another system begins here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Bytes that may still be written to the disk of a folder; `None` where the system does not tell.
#[cfg(unix)]
#[must_use]
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that may still be written to the disk of a folder: `None`, because here a full disk is only found when a write
/// fails.
#[cfg(not(unix))]
#[must_use]
pub fn free_space(_folder: &Path) -> Option<u64> {
    None
}

/// Makes `link` a symbolic link to the file `target`.
///
/// # Errors
/// When the system makes no links, or not for this user: Windows allows it to administrators and in developer mode.
pub fn link_to_file(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(target, link);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_file(target, link);
    linked
}

/// Whether a path is no file that could be replaced: a device, a pipe, or what a shell has opened for this program.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    const OPENED: [&str; 4] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"];
    let opened = OPENED.iter().any(|opened| path.starts_with(opened));
    fs::metadata(path).is_ok_and(|data| opened || !(data.is_file() || data.is_dir()))
}

/// Makes an empty file that only its owner may read; on Windows the folder says who may.
///
/// # Errors
/// When the file exists (`AlreadyExists`) or cannot be made.
pub fn make_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a folder, and those above it, that only their owner may read; on Windows the folder above says who may.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Calls `act` on each Ctrl-C from now on, in a thread of its own, in place of ending the program.
///
/// # Errors
/// When no handler can be installed.
#[cfg(unix)]
pub fn on_interrupt(mut act: impl FnMut() + Send + 'static) -> io::Result<()> {
    use std::io::Read;

    // A pipe and no pair of sockets, so that `--offline` can be checked by counting sockets.
    let (mut signals, writer) = io::pipe()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, writer)?;
    std::thread::spawn(move || {
        while signals.read_exact(&mut [0]).is_ok() {
            act();
        }
    });
    Ok(())
}

/// Calls `act` on each Ctrl-C from now on, in a thread of its own, in place of ending the program.
///
/// # Errors
/// When no handler can be installed.
#[cfg(windows)]
pub fn on_interrupt(mut act: impl FnMut() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut signals = tokio::signal::windows::ctrl_c()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while signals.recv().await.is_some() {
                act();
            }
        });
    });
    Ok(())
}

/// Waits until the process is asked to end: by SIGINT or SIGTERM.
///
/// # Errors
/// When no handler can be installed.
#[cfg(unix)]
pub async fn asked_to_end() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

/// Waits until the process is asked to end: by Ctrl-C or Ctrl-Break, or because its window is closed or the machine shut
/// down.
///
/// # Errors
/// When no handler can be installed.
#[cfg(windows)]
pub async fn asked_to_end() -> io::Result<()> {
    use tokio::signal::windows;

    let (mut interrupted, mut stopped) = (windows::ctrl_c()?, windows::ctrl_break()?);
    let (mut closed, mut shut_down) = (windows::ctrl_close()?, windows::ctrl_shutdown()?);
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = stopped.recv() => {}
        _ = closed.recv() => {}
        _ = shut_down.recv() => {}
    }
    Ok(())
}
