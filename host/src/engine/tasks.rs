//! The tasks of an engine's thread: accept, tick, obey, stop.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hotshell_plugin_api::abi::{Buffer, NO_WAKE};
use hotshell_plugin_api::collections::String as StateString;
use hotshell_plugin_api::migrate::aside::Aside;
use hotshell_plugin_api::migrate::plan::PlanKind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use super::EngineConfig;
use super::clients::Client;
use super::connection::{Connection, Socket};
use super::core::{Core, Server};
use super::flush;
use super::handle::{Command, Counters};
use super::journal::Journal;
use super::linger;
use super::overtaken::Overtaken;
use super::roomy::{LOOK_EVERY, Roomy};
use super::sessions::Sessions;
use super::snapshot::Waiter;
use super::state::{ServerState, Setting};
use super::waiting_room::{Waiting, WaitingRoom};
use crate::error::Result;
use crate::generation::Callable;
use crate::limits::STOP_PATIENCE;
use crate::time::unix_ms;

/// How long a connection is silent before the kernel asks the peer.
const KEEPALIVE: Duration = Duration::from_secs(300);
/// How long to wait when the process has no file descriptor left for a client.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The engine's thread.
#[expect(clippy::too_many_arguments, reason = "the parts of one start, taken apart at once")]
pub(super) fn run(
    mut config: EngineConfig,
    first: Callable,
    listener: std::net::TcpListener,
    listen: SocketAddr,
    started_ms: u64,
    counters: Arc<Counters>,
    inbox: mpsc::UnboundedReceiver<Command>,
    ready: oneshot::Sender<Result<()>>,
) {
    super::stack::arm();
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    counters.thread.store(thread as u64, Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(1024)
        .on_thread_park(linger::before_sleep)
        .build()
        .expect("a current-thread runtime needs an epoll and an eventfd");
    let data = config.data.take();
    let initial = data.as_ref().map_or(Ok(first.clone()), |data| data.first(&first));
    let initial = match initial {
        Ok(initial) => initial,
        Err(refused) => return drop(ready.send(Err(refused))),
    };
    let server = Rc::new(Server::new(core(config, initial, listen, started_ms, counters)));
    // Without data there is nothing to wait for.
    let loading = data.as_ref().and_then(|_| first.loading());
    let room = loading.and_then(|loading| WaitingRoom::open(&listener, loading));
    let started = match &data {
        Some(data) => super::recover::recover(&server, data, &first),
        None => server.init(),
    };
    server.publish();
    let go = started.is_ok();
    let waited = room.map_or(Vec::new(), WaitingRoom::close);
    // The starter waits for this answer; if it is gone, so is the host.
    let _ = ready.send(started);
    if go {
        LocalSet::new().block_on(&runtime, serve(server, listener, waited, inbox));
    }
}

fn core(
    config: EngineConfig,
    first: Callable,
    listen: SocketAddr,
    started_ms: u64,
    counters: Arc<Counters>,
) -> Core {
    let mut state = ServerState::new(&config.name, started_ms);
    let mut schema = Buffer::new();
    schema.extend_from_slice(&first.shape.encoded);
    state.layouts.push(schema);
    let session = &first.shape.schema.types[first.shape.schema.session as usize];
    state.session_size = session.size as usize;
    state.session_align = session.align as usize;
    state.generation = first.generation;
    for (key, value) in &config.plugin {
        let (key, value) = (StateString::from(key.as_str()), StateString::from(value.as_str()));
        state.config.push(Setting { key, value });
    }
    Core {
        state,
        active: first,
        change: None,
        forgotten: None,
        emptied: Vec::new(),
        overtaken: Overtaken::new(&config.name, config.overtaken, Arc::clone(&counters)),
        sessions: Sessions::default(),
        limits: config.limits,
        listen,
        counters,
        stop: config.stop,
        call_number: 0,
        touched: Vec::new(),
        resumes: Vec::new(),
        closes: Vec::new(),
        dirty: Vec::new(),
        sockets: Vec::new(),
        free_slots: Vec::new(),
        roomy: Roomy::default(),
        journal: None,
        snapshots: None,
        set_errno: 0,
        remember: None,
        settling: None,
        replays: false,
        plugin_counters_changed: false,
    }
}

async fn serve(
    server: Rc<Server>,
    listener: std::net::TcpListener,
    waited: Vec<Waiting>,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) {
    let listener = TcpListener::from_std(listener).expect("the listener is a non-blocking socket");
    let accept = spawn_local(accept(Rc::clone(&server), listener, waited));
    spawn_local(flush::flush(Rc::clone(&server)));
    spawn_local(tick(Rc::clone(&server)));
    spawn_local(linger::linger(Rc::clone(&server)));
    spawn_local(look_at_room(Rc::clone(&server)));
    spawn_local(super::migrate::drain(Rc::clone(&server)));
    spawn_local(super::snapshot::take(Rc::clone(&server)));
    let (settling, unsettled) = mpsc::unbounded_channel();
    server.core.borrow_mut().settling = Some(settling);
    spawn_local(super::settling::settle(Rc::clone(&server), unsettled));
    server.tick.notify_one();
    while let Some(command) = inbox.recv().await {
        match command {
            // Whoever asked may be gone; the switch stands all the same.
            Command::Use(switch, answer) => {
                if !switch.dry_run && switch.plan.kind != PlanKind::Adopt {
                    server.give_up_snapshot().await;
                }
                let ready = server.ready(*switch).await;
                let switched = server.switch(ready);
                server.core.borrow_mut().snapshots.iter_mut().for_each(|s| s.hold(false));
                _ = answer.send(switched);
            }
            Command::SelfTest(answer) => _ = answer.send(server.self_test()),
            Command::Plugin(args, answer) => _ = answer.send(server.plugin_command(&args)),
            Command::Set(key, text, answer) => {
                _ = answer.send(server.core.borrow_mut().set(&key, &text));
            }
            Command::Snapshot(answer) => server.ask_snapshot(Waiter::Admin(answer)),
            Command::Stop(answer) => {
                accept.abort();
                stop(&server).await;
                server.last_snapshot().await;
                let journal = server.core.borrow_mut().journal.take();
                journal.into_iter().for_each(Journal::close);
                _ = answer.send(());
                return;
            }
        }
    }
}

/// Takes new clients in.
async fn accept(server: Rc<Server>, listener: TcpListener, waited: Vec<Waiting>) {
    let scratch = Rc::new(RefCell::new(Buffer::new()));
    for Waiting { stream, peer, unread } in waited {
        if let Ok(stream) = TcpStream::from_std(stream) {
            welcome(&server, stream, peer, &unread, &scratch);
        }
    }
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => welcome(&server, stream, peer, &[], &scratch),
            Err(error) if out_of_descriptors(&error) => {
                let server = &*server.name;
                tracing::warn!(verb = "accept", server, %error, "no file descriptor left; raise ulimit -n");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
            // The peer gave up before we came: nothing to do for it.
            Err(error) => tracing::debug!(verb = "accept", server = server.name, %error),
        }
    }
}

fn out_of_descriptors(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

fn welcome(
    server: &Rc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    unread: &[u8],
    scratch: &Rc<RefCell<Buffer>>,
) {
    // Replies are written whole, so waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    // A peer that vanished without a word is noticed after some minutes.
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    let _ = rustix::net::sockopt::set_tcp_keepidle(&stream, KEEPALIVE);
    let now = unix_ms();
    let (read, socket) = {
        let core = &mut *server.core.borrow_mut();
        if core.state.clients.len() >= core.limits.max_clients {
            core.state.counters.rejected += 1;
            let limit = core.limits.max_clients;
            tracing::warn!(verb = "accept", server = server.name, %peer, limit, "max_clients reached, turning a client away");
            // No call follows whose flush would tell it.
            core.counters.rejected.store(core.state.counters.rejected, Relaxed);
            return;
        }
        core.state.counters.connections += 1;
        let slot = core.free_slots.pop().unwrap_or_else(|| {
            core.sockets.push(None);
            (core.sockets.len() - 1) as u32
        });
        let id = core.state.next_client;
        core.state.next_client += 1;
        let mut client = Client::accepted(id, slot, peer, now);
        client.input.extend_from_slice(unread);
        let client = core.state.clients.insert(client);
        let (read, write) = stream.into_split();
        let socket = Rc::new(Socket::new(write, client));
        core.sockets[slot as usize] = Some(Rc::clone(&socket));
        (read, socket)
    };
    server.refresh_clocks();
    server.connect(socket.client);
    spawn_local(Connection::new(Rc::clone(server), socket, read, Rc::clone(scratch)));
}

impl Client {
    /// A client of an earlier process, of whom only the session is left.
    pub(super) fn gone(id: u64, session: *mut u8, layout: u32) -> Self {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        let client = Self::accepted(id, u32::MAX, nobody, unix_ms());
        Self { session, layout, connected: true, closing: true, ..client }
    }

    fn accepted(id: u64, slot: u32, peer: SocketAddr, now_ms: u64) -> Self {
        let ip = match peer.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self {
            id,
            input: Buffer::new(),
            input_start: 0,
            output: Buffer::new(),
            output_start: 0,
            sendable: 0,
            output_before: 0,
            session: std::ptr::null_mut(),
            layout: 0,
            aside: Aside::new(),
            need: 0,
            peer_ip: ip.octets(),
            peer_port: u32::from(peer.port()),
            direction: 0,
            connected_ms: now_ms,
            active_ms: now_ms,
            touched_call: 0,
            touched_len: 0,
            blocked: false,
            resuming: false,
            closing: false,
            input_ended: false,
            dirty: false,
            connected: false,
            unsettled: 0,
            slot,
        }
    }
}

/// Calls `tick` when its time has come.
async fn tick(server: Rc<Server>) {
    loop {
        let wake_at = server.core.borrow().state.wake_at_ms;
        let now = unix_ms();
        if wake_at <= now {
            server.tick_plugin();
            // Clients that became ready meanwhile go first, also when the plugin ticks all the time.
            tokio::task::yield_now().await;
            continue;
        }
        let asked = server.tick.notified();
        if wake_at == NO_WAKE {
            asked.await;
        } else {
            let due = tokio::time::sleep(Duration::from_millis(wake_at - now));
            tokio::select! { () = asked => {}, () = due => {} }
        }
    }
}

/// Takes room from output buffers that were large and are not used.
async fn look_at_room(server: Rc<Server>) {
    loop {
        server.looks.notified().await;
        while !server.core.borrow().roomy.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
            server.core.borrow_mut().roomy.look();
            server.publish();
        }
    }
}

/// Answers what has arrived, lets the plugin say goodbye, sends what is unsent, closes everybody.
async fn stop(server: &Rc<Server>) {
    // One turn for everything that is readable now: connections read before this task runs again.
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    server.shutdown();
    let sockets: Vec<Rc<Socket>> = server.core.borrow().sockets.iter().flatten().cloned().collect();
    {
        let core = &mut *server.core.borrow_mut();
        for socket in &sockets {
            // SAFETY: listed, so alive; no plugin code runs.
            let client = unsafe { &mut *socket.client.as_ptr() };
            client.closing = true;
            core.mark_dirty(client);
        }
    }
    drop(sockets);
    server.flush.notify_one();
    let all_gone = async {
        loop {
            let emptied = server.emptied.notified();
            if server.core.borrow().state.clients.len() == 0 {
                return;
            }
            emptied.await;
        }
    };
    if tokio::time::timeout(STOP_PATIENCE, all_gone).await.is_err() {
        let left = server.core.borrow().state.clients.len();
        tracing::warn!(
            verb = "stop",
            server = server.name,
            clients = left,
            "gave up on clients that do not read their replies"
        );
    }
    server.publish();
}
