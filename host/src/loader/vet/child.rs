//! The vet child: body of the hidden verb `hotshell __vet FILE`, with the host at standard input.
//!
//! The only place besides the engine that calls state-touching plugin code, in a process of its own
//! and on a state that nobody else sees.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use hotshell_plugin_api::abi::{
    Buffer, Call, NO_WAKE, NOT_BEGUN, OUTCOME_DONE, OUTCOME_PANICKED, OUTCOME_REFUSED, Outcome,
    PluginTable,
};
use rustix::process::{Resource, Rlimit, Signal};

use super::host::{host_table, set_config};
use super::protocol::{At, Done, Line, Order, Refusal};
use crate::error::Code;
use crate::loader::handshake::{self, Shaken, Tables};
use crate::loader::reason::Reason;
use crate::loader::{map, maps};

/// Where the host is, whatever the plugin does with the standard streams.
const HOST_FD: i32 = 3;

/// Examines a staged plugin and reports; see `loader::vet`. Ends the process itself, without exit
/// handlers, once the report is out.
pub fn vet_main(mut args: impl Iterator<Item = OsString>) -> u8 {
    let host = args.next().map(|file| (file, Report::take_over_stdin()));
    let Some((file, (mut report, order))) = host.and_then(|(f, h)| Some((f, h?))) else {
        eprintln!("hotshell __vet is for hotshell's own use; `hotshell check FILE` is the verb");
        return 2;
    };
    let last = match confine(&order).and_then(|()| examine(Path::new(&file), &order, &mut report)) {
        Ok(done) => Line::Done(done),
        Err(reason) => Line::Refused(Refusal::new(reason)),
    };
    report.say(&last);
    // SAFETY: ends the process. Exit handlers of the plugin, which may be unmapped, must not run.
    unsafe { libc::_exit(0) }
}

/// The line to the host.
struct Report(UnixStream);

impl Report {
    /// The host passes a socket as standard input, the one way to hand a descriptor to
    /// `posix_spawn` through std. It moves to [`HOST_FD`]; the plugin's standard input is empty.
    /// Reads the order.
    fn take_over_stdin() -> Option<(Self, Order)> {
        // SAFETY: plain descriptor calls before any other thread or plugin code exists. 0 is the
        // socket; whatever was inherited above it belongs to nobody here.
        let stream = unsafe {
            if libc::dup3(0, HOST_FD, libc::O_CLOEXEC) != HOST_FD {
                return None;
            }
            libc::syscall(libc::SYS_close_range, HOST_FD + 1, libc::c_uint::MAX, 0);
            if let Ok(null) = File::open("/dev/null") {
                libc::dup2(null.as_raw_fd(), 0);
            }
            UnixStream::from_raw_fd(HOST_FD)
        };
        let mut order = String::new();
        BufReader::new(&stream).read_line(&mut order).ok()?;
        Some((Self(stream), serde_json::from_str(&order).ok()?))
    }

    fn at(&mut self, at: At) {
        self.say(&Line::At(at));
    }

    fn say(&mut self, line: &Line) {
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        // When nobody listens any more, nobody needs the report.
        let _ = self.0.write_all(text.as_bytes());
    }
}

/// Takes away what an examination does not need. Before any plugin code.
fn confine(order: &Order) -> Result<(), Reason> {
    use rustix::process as os;
    let cannot = |error: rustix::io::Errno| {
        let detail = format!("the vet child cannot limit itself: {error}");
        Reason::new(Code::Vet, detail, "look at the host's own limits (ulimit)")
    };
    os::set_parent_process_death_signal(Some(Signal::KILL)).map_err(cannot)?;
    if os::getppid().map(|pid| pid.as_raw_nonzero().get() as u32) != Some(order.host_pid) {
        return Err(Reason::new(Code::Vet, "the host ended while the vet child started", ""));
    }
    // When memory runs out, the kernel is to end this process rather than the host.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let limits = [
        (Resource::As, order.memory),
        (Resource::Cpu, order.cpu_s),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 64),
    ];
    for (resource, most) in limits {
        let most = os::getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        os::setrlimit(resource, limit).map_err(cannot)?;
    }
    crate::priority::give_way();
    Ok(())
}

/// The examination, step by step.
fn examine(file: &Path, order: &Order, report: &mut Report) -> Result<Done, Reason> {
    let inspected = order.inspected();
    set_config(order.config.clone());
    report.at(At::Constructor);
    let mapped = map::open(file, &inspected)?;
    report.at(At::Handshake);
    let tables = Tables::new(host_table());
    // SAFETY: the entry is in `mapped`, which is closed at the end.
    let shaken = unsafe { handshake::shake(mapped.entry(), &inspected.artifact, &tables) };
    let Shaken { table, shape, .. } = shaken?;
    try_out(&table, order, report)?;
    report.at(At::Destructor);
    let place = mapped.place();
    // SAFETY: no call is running, and none follows.
    unsafe { mapped.close() };
    report.at(At::End);
    Ok(Done {
        schema: hex::encode(&shape.encoded),
        lineage: hex::encode(shape.lineage.encode()),
        unmapped: !place.is_in(&maps::read()),
    })
}

/// A fresh state: made, tested, dropped.
fn try_out(table: &PluginTable, order: &Order, report: &mut Report) -> Result<(), Reason> {
    let mut trial = Trial::new(order);
    let mut root = std::ptr::null_mut();
    report.at(At::Init);
    // SAFETY: the layout is checked and the image attached; call and place are ours. Likewise
    // below.
    let outcome = unsafe { (table.init)(trial.call(), &raw mut root) };
    trial.judge("init", outcome)?;
    trial.call.state = root;
    report.at(At::SelfTest);
    // SAFETY: as above; the state is the one that `init` made.
    let outcome = unsafe { (table.self_test)(trial.call()) };
    trial.judge("self_test", outcome)?;
    report.at(At::DropState);
    // SAFETY: as above; the state is not used afterwards.
    let outcome = unsafe { (table.drop_state)(trial.call()) };
    trial.judge("dropping its state", outcome)
}

/// The calls of one examination. Its buffers are left to the end of the process.
struct Trial<'a> {
    order: &'a Order,
    call: Box<Call>,
    message: *mut Buffer,
}

impl<'a> Trial<'a> {
    fn new(order: &'a Order) -> Self {
        let buffer = || Box::into_raw(Box::new(Buffer::new()));
        let message = buffer();
        let call = Call {
            size: size_of::<Call>() as u32,
            failed: 0,
            client: 0,
            server: std::ptr::null_mut(),
            state: std::ptr::null_mut(),
            session: std::ptr::null_mut(),
            out: buffer(),
            input: std::ptr::NonNull::dangling().as_ptr(),
            input_len: 0,
            begun: NOT_BEGUN,
            need: 0,
            unix_ms: crate::time::unix_ms(),
            monotonic_ns: crate::time::monotonic_ns(),
            wake_at_ms: NO_WAKE,
            message,
        };
        Self { order, call: Box::new(call), message }
    }

    fn call(&mut self) -> *mut Call {
        &raw mut *self.call
    }

    fn judge(&self, step: &str, outcome: Outcome) -> Result<(), Reason> {
        let Order { plugin, version, .. } = self.order;
        // SAFETY: the buffer is ours, and no call is running.
        let said = String::from_utf8_lossy(unsafe { (*self.message).as_slice() });
        match outcome.code {
            OUTCOME_DONE => Ok(()),
            OUTCOME_REFUSED => {
                let detail =
                    format!("plugin '{plugin}' {version} refuses to go up in {step}: {said}");
                Err(Reason::new(Code::Refused, detail, "meet what it asks for, then load it again"))
            }
            OUTCOME_PANICKED => {
                let detail = format!("plugin '{plugin}' {version} panicked in {step}: {said}");
                Err(Reason::new(Code::Panicked, detail, "correct the plugin, then load it again"))
            }
            code => {
                let detail =
                    format!("plugin '{plugin}' {version} ended {step} with the outcome {code}");
                Err(Reason::new(Code::Abi, detail, "rebuild the plugin with `export_plugin!`"))
            }
        }
    }
}
