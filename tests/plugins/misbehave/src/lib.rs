//! A plugin that misbehaves on demand. What it does wrong is patched into the bytes of the built
//! `.so` (see `tests/src/patch.rs`), so one build serves every test.
//!
//! Protocol: lines. Each line `<word>` is answered `<word> ok\n`, apart from:
//!
//! | word | effect |
//! |---|---|
//! | `boom` | triggers `data-panic`, `data-panic-after-begin`, `payload-drop-panics`, `panicked-panic`, `hang-in-data`, `loop-in-data`, `slow-call`, `sleepy-call`, `big-output`, `fail` |
//! | `block` | answers `block wait\n` and blocks; somebody's `wake` lets it go on, with `block ok\n` |
//! | `wake` | resumes every blocked client |
//! | `count` | `count <requests answered, all clients> <requests of this client>\n` |
//! | `quit` | `quit ok\n`, then closes |
//!
//! A request that panicked is answered `error <message>\n`. The state is the number of requests
//! answered, the session the number of this client's.
//!
//! With `answer-otherwise` the answer is `<word> otherwise\n`: the same plugin, recognisably other
//! code.
//!
//! Behaviours: see [`patched::ALL`]. One per copy. Those named `ctor-*` act when the image is
//! mapped, those named after a function in that function, `tls-destructor` and `thread` in `tick`
//! (`thread` starts one that parks until the process ends).

pub mod patched;

use std::cell::RefCell;
use std::time::Duration;

use hotshell_plugin_api::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct Misbehave;

impl Plugin for Misbehave {
    type State = u64;
    type Session = u64;

    fn init(ctx: &mut InitCtx<'_>) -> Result<u64, Refusal> {
        going_up("init")?;
        match patched::behaviour().as_str() {
            "init-memory" => drop(std::hint::black_box(vec![1_u8; 8 << 30])),
            "init-spawn" => return Err(leave_a_process()),
            _ => {}
        }
        if patched::is("needs-config") && ctx.config("mood") != Some("good") {
            return Err(Refusal::new("misbehave needs mood = \"good\" under [config]"));
        }
        Ok(0)
    }

    fn self_test(_: &mut ServerCtx<'_, Self>) -> Result<(), Refusal> {
        going_up("self-test")
    }

    fn connect(_: &mut Ctx<'_, Self>) {
        panic_if("connect-panic");
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(end) = unread.iter().position(|&b| b == b'\n') else { return Flow::NeedMore };
        let line = unread[..end].strip_suffix(b"\r").unwrap_or(&unread[..end]);
        if line == b"boom" {
            panic_if("data-panic");
        }
        ctx.begin(end + 1);
        if line == b"boom" {
            boom(ctx);
        }
        *ctx.state += 1;
        *ctx.session += 1;
        answer(ctx, line, end + 1)
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        panic_if("resume-panic");
        ctx.out.put(b"block ok\n");
        Flow::Done(0)
    }

    fn disconnect(_: &mut Ctx<'_, Self>) {
        panic_if("disconnect-panic");
    }

    fn tick(_: &mut ServerCtx<'_, Self>) {
        panic_if("tick-panic");
        if patched::is("tls-destructor") {
            LEFT_BEHIND.with(|left| left.borrow_mut().push(1));
        }
        if patched::is("thread") {
            std::thread::spawn(|| {
                loop {
                    std::thread::park();
                }
            });
        }
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        panic_if("panicked-panic");
        ctx.out.put(format!("error {message}\n").as_bytes());
        Flow::Done(0)
    }

    fn command(ctx: &mut CommandCtx<'_, Self>, args: &[&[u8]]) -> Result<(), Refusal> {
        panic_if("command-panic");
        if patched::is("command-refuse") {
            return Err(Refusal::new("misbehave was told to refuse the command"));
        }
        ctx.out.put(format!("{} arguments, {} requests\n", args.len(), ctx.state).as_bytes());
        Ok(())
    }

    fn shutdown(_: &mut ServerCtx<'_, Self>) {
        panic_if("shutdown-panic");
    }
}

hotshell_plugin_api::export_plugin!(Misbehave, name = "misbehave");

thread_local! {
    /// Its destructor pins the image to the thread that touched it.
    static LEFT_BEHIND: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn answer(ctx: &mut Ctx<'_, Misbehave>, line: &[u8], len: usize) -> Flow {
    match line {
        b"block" => {
            ctx.out.put(b"block wait\n");
            return Flow::Blocked;
        }
        b"wake" => wake_all(ctx),
        b"count" => {
            let text = format!("count {} {}\n", ctx.state, ctx.session);
            ctx.out.put(text.as_bytes());
            return Flow::Done(len);
        }
        b"quit" => {
            ctx.out.put(b"quit ok\n");
            return Flow::Close;
        }
        _ => {}
    }
    ctx.out.put(line);
    let end: &[u8] = if patched::is("answer-otherwise") { b" otherwise\n" } else { b" ok\n" };
    ctx.out.put(end);
    Flow::Done(len)
}

fn wake_all(ctx: &mut Ctx<'_, Misbehave>) {
    let clients: Vec<ClientId> = ctx.shell.clients().collect();
    for client in clients {
        ctx.shell.resume(client);
    }
}

/// What `boom` does, after `begin`.
fn boom(ctx: &mut Ctx<'_, Misbehave>) {
    match patched::behaviour().as_str() {
        "data-panic-after-begin" => {
            *ctx.state += 1000;
            ctx.out.put(b"half a rep");
            panic!("misbehave was told to panic in data after begin");
        }
        "payload-drop-panics" => std::panic::panic_any(Payload),
        "panicked-panic" => panic!("misbehave was told to panic in panicked"),
        "hang-in-data" => hang(),
        "loop-in-data" => spin(),
        "slow-call" => {
            let end = thread_time() + Duration::from_millis(200);
            while thread_time() < end {
                std::hint::spin_loop();
            }
        }
        "sleepy-call" => std::thread::sleep(Duration::from_millis(5)),
        "big-output" => {
            for _ in 0..64 {
                ctx.out.put(&[b'x'; 1 << 20]);
            }
            ctx.out.put(b"\n");
        }
        "fail" => ctx.shell.failed(),
        _ => {}
    }
}

/// A panic payload whose own drop panics.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("misbehave was told to panic in a payload's drop");
    }
}

/// `<step>-refuse`, `<step>-panic`, `<step>-hang`, `<step>-segv`, `<step>-exit`.
fn going_up(step: &str) -> Result<(), Refusal> {
    let told = patched::behaviour();
    match told.strip_prefix(step) {
        Some("-refuse") => Err(Refusal::new(format!("misbehave was told to refuse in {step}"))),
        Some("-panic") => panic!("misbehave was told to panic in {step}"),
        Some("-hang") => hang(),
        Some("-segv") => patched::segv(),
        Some("-exit") => std::process::exit(0),
        _ => Ok(()),
    }
}

/// Starts a process that outlives its parent; the refusal tells its pid.
fn leave_a_process() -> Refusal {
    match std::process::Command::new("/bin/sleep").arg("600").spawn() {
        Ok(child) => Refusal::new(format!("pid={}", child.id())),
        Err(error) => error.into(),
    }
}

/// The processor's time that this thread has had: on a busy machine a call that spins until the clock
/// has gone on costs next to nothing.
fn thread_time() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    }
    let mut time = [0; 2];
    // SAFETY: writes seconds and nanoseconds into `time`.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time[0] as u64, time[1] as u32)
}

fn panic_if(behaviour: &str) {
    if patched::is(behaviour) {
        panic!("misbehave was told to {behaviour}");
    }
}

#[inline(never)]
fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
