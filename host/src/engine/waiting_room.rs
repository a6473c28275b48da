//! The waiting room: clients that come while the data are read back. Each request is answered with the
//! plugin's word for that, on a thread of its own; when the server is ready, the connections go over to
//! the engine as they are, with what is unread.
//!
//! The one function of the plugin that is called here sees neither state nor shell.

use std::net::SocketAddr;

use hotshell_plugin_api::abi::{OUTCOME_CLOSE, OUTCOME_DONE};
use hotshell_plugin_api::loading::{LoadingFn, MOST_REPLY_BYTES};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

/// Most clients that wait; more stay in the listener's queue until the server is ready.
const MAX_WAITING: usize = 1024;
/// Unread input above which a client is not read from: the beginning of one large request.
const MAX_UNREAD: usize = 1 << 20;

/// A client that has waited.
#[derive(Debug)]
pub(super) struct Waiting {
    pub stream: std::net::TcpStream,
    pub peer: SocketAddr,
    /// The beginning of a request.
    pub unread: Vec<u8>,
}

/// A waiting room that is open.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    over: watch::Sender<bool>,
    thread: std::thread::JoinHandle<Vec<Waiting>>,
}

impl WaitingRoom {
    /// Opens it. `None`, and clients wait in the listener's queue, when the system has no thread for it.
    pub(super) fn open(listener: &std::net::TcpListener, loading: LoadingFn) -> Option<Self> {
        let listener = listener.try_clone().ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let (over, heard) = watch::channel(false);
        let serve = move || LocalSet::new().block_on(&runtime, accept(listener, loading, heard));
        let thread = std::thread::Builder::new().name("waiting-room".to_owned()).spawn(serve);
        Some(Self { over, thread: thread.ok()? })
    }

    /// Closes it; answers who has waited.
    pub(super) fn close(self) -> Vec<Waiting> {
        self.over.send_replace(true);
        // A room that panicked has nobody in it any more: they connect again.
        self.thread.join().unwrap_or_default()
    }
}

async fn accept(
    listener: std::net::TcpListener,
    loading: LoadingFn,
    mut over: watch::Receiver<bool>,
) -> Vec<Waiting> {
    let (mut waiting, mut waited) = (JoinSet::new(), Vec::new());
    let Ok(listener) = TcpListener::from_std(listener) else { return Vec::new() };
    loop {
        let room = waiting.len() < MAX_WAITING;
        tokio::select! {
            accepted = listener.accept(), if room => {
                let Ok((stream, peer)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                waiting.spawn_local(wait(stream, peer, loading, over.clone()));
            }
            // Some leave, and some hear before this task does that the room closes.
            Some(left) = waiting.join_next() => waited.extend(left.ok().flatten()),
            _ = over.changed() => break,
        }
    }
    waited.extend(waiting.join_all().await.into_iter().flatten());
    waited
}

/// Answers a client until the room closes; `None` when it left, or had to.
async fn wait(
    mut stream: TcpStream,
    peer: SocketAddr,
    loading: LoadingFn,
    mut over: watch::Receiver<bool>,
) -> Option<Waiting> {
    let mut unread = Vec::new();
    while !*over.borrow_and_update() {
        let room = unread.len() < MAX_UNREAD;
        tokio::select! {
            read = stream.read_buf(&mut unread), if room => {
                if read.unwrap_or(0) == 0 || !answer(&stream, &mut unread, loading) {
                    return None;
                }
            }
            _ = over.changed() => {}
        }
    }
    Some(Waiting { stream: stream.into_std().ok()?, peer, unread })
}

/// Answers all whole requests; false when the connection is to end.
fn answer(stream: &TcpStream, unread: &mut Vec<u8>, loading: LoadingFn) -> bool {
    let (mut at, mut replies, mut stays) = (0, Vec::new(), true);
    while at < unread.len() && stays {
        let (input, mut reply) = (&unread[at..], [0; MOST_REPLY_BYTES]);
        let mut len = 0;
        // SAFETY: the image is mapped, since its generation is about to serve; the function keeps no
        // pointer, and writes at most as many bytes as there are, and their number.
        let outcome = unsafe {
            loading(input.as_ptr(), input.len(), reply.as_mut_ptr(), reply.len(), &raw mut len)
        };
        replies.extend_from_slice(&reply[..len.min(reply.len())]);
        match outcome.code {
            OUTCOME_DONE if outcome.consumed > 0 => at += outcome.consumed as usize,
            OUTCOME_CLOSE => stays = false,
            _ => break,
        }
    }
    unread.drain(..at.min(unread.len()));
    // One that does not read what it is told need not stay.
    let told = replies.is_empty() || stream.try_write(&replies).is_ok_and(|n| n == replies.len());
    stays && told
}
