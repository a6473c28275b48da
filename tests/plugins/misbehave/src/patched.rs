//! The behaviour that tests patch into the bytes, and what happens before any function is called.

/// What a copy can be told to do; `none` is as built.
pub const ALL: [&str; 42] = [
    "none",
    "answer-otherwise",
    "ctor-panic",
    "ctor-exit0",
    "ctor-exit1",
    "ctor-abort",
    "ctor-segv",
    "ctor-hang",
    "ctor-leave-group",
    "ctor-print",
    "ctor-flood",
    "dtor-segv",
    "needs-config",
    "init-refuse",
    "init-panic",
    "init-hang",
    "init-segv",
    "init-exit",
    "init-memory",
    "init-spawn",
    "self-test-refuse",
    "self-test-panic",
    "self-test-hang",
    "connect-panic",
    "data-panic",
    "data-panic-after-begin",
    "payload-drop-panics",
    "hang-in-data",
    "loop-in-data",
    "slow-call",
    "sleepy-call",
    "big-output",
    "fail",
    "resume-panic",
    "disconnect-panic",
    "tick-panic",
    "panicked-panic",
    "command-panic",
    "command-refuse",
    "shutdown-panic",
    "tls-destructor",
    "thread",
];

/// The marker and, behind it, the behaviour's name, padded with dots.
#[used]
#[unsafe(no_mangle)]
static BEHAVIOUR: [u8; 64] = *b"HOTSHELL-BEHAVIOUR:none.........................................";

const MARKER: usize = b"HOTSHELL-BEHAVIOUR:".len();

/// What this copy was told to do.
pub fn behaviour() -> String {
    // SAFETY: a static of this image; volatile, since its bytes are not those that were compiled.
    let bytes = unsafe { (&raw const BEHAVIOUR).read_volatile() };
    String::from_utf8_lossy(&bytes[MARKER..]).trim_end_matches('.').to_owned()
}

/// Whether this copy was told to do this.
pub fn is(name: &str) -> bool {
    behaviour() == name
}

/// Joins the process group of the parent, so that what ends its own group misses it.
fn leave_group() {
    unsafe extern "C" {
        safe fn getppid() -> i32;
        safe fn getpgid(pid: i32) -> i32;
        safe fn setpgid(pid: i32, group: i32) -> i32;
    }
    assert_eq!(setpgid(0, getpgid(getppid())), 0, "a group of the same session can be joined");
}

/// Dies of an invalid memory access.
pub fn segv() -> ! {
    // SAFETY: it is not safe: that is the behaviour asked for.
    unsafe { core::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    unreachable!("address 8 is not mapped")
}

#[used]
#[unsafe(link_section = ".init_array")]
static CTOR: extern "C" fn() = at_load;

#[used]
#[unsafe(link_section = ".fini_array")]
static DTOR: extern "C" fn() = at_unload;

extern "C" fn at_load() {
    match behaviour().as_str() {
        "ctor-panic" => panic!("misbehave was told to panic in a constructor"),
        "ctor-exit0" => std::process::exit(0),
        "ctor-exit1" => std::process::exit(1),
        "ctor-abort" => std::process::abort(),
        "ctor-segv" => segv(),
        "ctor-leave-group" => {
            leave_group();
            loop {
                std::thread::park();
            }
        }
        "ctor-hang" => loop {
            std::thread::park();
        },
        "ctor-print" => {
            println!("{{\"Done\":{{\"schema\":\"\",\"unmapped\":true}}}}");
            eprintln!("noise on standard error");
        }
        "ctor-flood" => loop {
            eprintln!("and on and on");
        },
        _ => {}
    }
}

extern "C" fn at_unload() {
    if is("dtor-segv") {
        segv();
    }
}
