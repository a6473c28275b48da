//! From [`Plugin`] to [`PluginTable`]: the functions behind the one exported symbol.
//!
//! Each catches the plugin's panics inside the image that raised them, since a panic of one std cannot
//! be caught by another (Invariant: a plugin panic never crosses the boundary).

use core::alloc::Layout;
use core::ffi::c_void;
use core::panic::AssertUnwindSafe;
use std::any::Any;
use std::panic::{PanicHookInfo, catch_unwind};

use crate::abi::{
    Buffer, Call, HostTable, OUTCOME_BLOCKED, OUTCOME_CLOSE, OUTCOME_DONE, OUTCOME_NEED_MORE,
    OUTCOME_PANICKED, OUTCOME_REFUSED, Outcome, PluginTable,
};
use crate::buffer::Out;
use crate::ctx::{self, CommandCtx, Ctx, InitCtx, ServerCtx, Shell};
use crate::heap;
use crate::journal::{self, JournalTable, TakeTextFn};
use crate::loading::{self, LoadingTable};
use crate::migrate::table::{self, MigrateTable};
use crate::plugin::{Flow, Plugin, Refusal};
use crate::schema::Schema;

/// The table of a plugin.
pub const fn table<P: Plugin>() -> PluginTable {
    PluginTable {
        attach,
        schema: schema::<P>,
        init: init::<P>,
        connect: connect::<P>,
        data: data::<P>,
        resume: resume::<P>,
        disconnect: disconnect::<P>,
        tick: tick::<P>,
        self_test: self_test::<P>,
        panicked: panicked::<P>,
        command: command::<P>,
        event: event::<P>,
        shutdown: shutdown::<P>,
        drop_state: drop_state::<P>,
        extension: extension::<P>,
    }
}

unsafe extern "C" fn attach(host: *const HostTable) -> Outcome {
    ctx::attach(host);
    // SAFETY: the shell passes a table that lives as long as the process, once per image and before
    // any state memory was taken.
    unsafe { heap::install((*host).heap) };
    std::panic::set_hook(Box::new(hook));
    Outcome::of(OUTCOME_DONE)
}

/// One line to the shell's log. Never symbolizes: a backtrace would cache the image's whole DWARF,
/// once per image, for the life of the process.
fn hook(info: &PanicHookInfo<'_>) {
    let message = payload_text(info.payload());
    let text = match info.location() {
        Some(at) => format!("panicked at {}:{}: {message}", at.file(), at.line()),
        None => format!("panicked: {message}"),
    };
    if let Some(host) = ctx::try_host() {
        // SAFETY: `[any]`; the text is valid for the call.
        unsafe { (host.log)(1, text.as_ptr(), text.len()) };
    }
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic whose payload is not text")
}

unsafe extern "C" fn schema<P: Plugin>(out: *mut Buffer) -> Outcome {
    match catch_unwind(|| Schema::of::<P::State, P::Session>().encode()) {
        Ok(bytes) => {
            // SAFETY: the shell passes a buffer of its own.
            unsafe { (*out).extend_from_slice(&bytes) };
            Outcome::of(OUTCOME_DONE)
        }
        Err(payload) => {
            core::mem::forget(payload);
            Outcome::of(OUTCOME_PANICKED)
        }
    }
}

/// Runs `body`, turning a panic into an outcome and its payload into text for the shell.
#[inline(always)]
fn guarded(call: *mut Call, body: impl FnOnce(&mut Call) -> Outcome) -> Outcome {
    // SAFETY: the shell passes a `Call` that is valid and unshared until this function returns.
    match catch_unwind(AssertUnwindSafe(|| body(unsafe { &mut *call }))) {
        Ok(outcome) => outcome,
        // SAFETY: as above; the body's borrow ended with the panic.
        Err(payload) => caught(unsafe { &mut *call }, payload),
    }
}

#[cold]
fn caught(call: &mut Call, payload: Box<dyn Any + Send>) -> Outcome {
    leave_message(call, payload_text(&*payload));
    // A payload's own drop may panic: then it leaks.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(second);
    }
    Outcome::of(OUTCOME_PANICKED)
}

fn leave_message(call: &mut Call, text: &str) {
    // SAFETY: the shell passes a buffer of its own, or null where it wants no text.
    if let Some(message) = unsafe { call.message.as_mut() } {
        message.truncate(0);
        message.extend_from_slice(text.as_bytes());
    }
}

fn refused(call: &mut Call, refusal: &Refusal) -> Outcome {
    leave_message(call, refusal.text());
    Outcome::of(OUTCOME_REFUSED)
}

impl Flow {
    #[inline(always)]
    fn outcome(self) -> Outcome {
        match self {
            Self::Done(n) => Outcome { code: OUTCOME_DONE, reserved: 0, consumed: n as u64 },
            Self::NeedMore => Outcome::of(OUTCOME_NEED_MORE),
            Self::Blocked => Outcome::of(OUTCOME_BLOCKED),
            Self::Close => Outcome::of(OUTCOME_CLOSE),
        }
    }
}

/// The context of a call that serves a client.
#[inline(always)]
fn client_ctx<P: Plugin>(call: &mut Call) -> Ctx<'_, P> {
    // SAFETY: the shell passes the state root and the client's session in the layout of this
    // generation's schema, and the client's output buffer; the three are distinct and unshared until
    // the call returns.
    unsafe {
        Ctx {
            state: &mut *call.state.cast(),
            session: &mut *call.session.cast(),
            out: Out::new(&mut *call.out),
            shell: Shell::new(call),
        }
    }
}

fn server_ctx<P: Plugin>(call: &mut Call) -> ServerCtx<'_, P> {
    // SAFETY: as in `client_ctx`, without a client.
    unsafe { ServerCtx { state: &mut *call.state.cast(), shell: Shell::new(call) } }
}

/// The unread input of a call.
///
/// # Safety
/// The slice is used only until the call returns.
#[inline(always)]
unsafe fn input<'a>(call: &Call) -> &'a [u8] {
    // SAFETY: the shell owns the bytes and leaves them alone until the call returns.
    unsafe { core::slice::from_raw_parts(call.input, call.input_len) }
}

unsafe extern "C" fn init<P: Plugin>(call: *mut Call, root: *mut *mut u8) -> Outcome {
    guarded(call, |call| match P::init(&mut InitCtx::new(call)) {
        Ok(state) => {
            let place = heap::alloc(Layout::new::<P::State>());
            // SAFETY: the memory has the layout of the state; the shell passes a place for the root.
            unsafe {
                place.cast::<P::State>().write(state);
                root.write(place.as_ptr());
            }
            Outcome::of(OUTCOME_DONE)
        }
        Err(refusal) => refused(call, &refusal),
    })
}

unsafe extern "C" fn connect<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        // SAFETY: the shell passes memory of the session's size and alignment.
        unsafe { call.session.cast::<P::Session>().write(P::Session::default()) };
        P::connect(&mut client_ctx::<P>(call));
        Outcome::of(OUTCOME_DONE)
    })
}

unsafe extern "C" fn data<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        // SAFETY: the slice ends with this call.
        let unread = unsafe { input(call) };
        P::data(&mut client_ctx::<P>(call), unread).outcome()
    })
}

unsafe extern "C" fn resume<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| P::resume(&mut client_ctx::<P>(call)).outcome())
}

unsafe extern "C" fn disconnect<P: Plugin>(call: *mut Call) -> Outcome {
    let outcome = guarded(call, |call| {
        P::disconnect(&mut client_ctx::<P>(call));
        Outcome::of(OUTCOME_DONE)
    });
    let dropped = guarded(call, |call| {
        // SAFETY: the session was written by `connect`; the shell never passes it again.
        unsafe { call.session.cast::<P::Session>().drop_in_place() };
        Outcome::of(OUTCOME_DONE)
    });
    if outcome.code == OUTCOME_DONE { dropped } else { outcome }
}

unsafe extern "C" fn tick<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        P::tick(&mut server_ctx::<P>(call));
        Outcome::of(OUTCOME_DONE)
    })
}

unsafe extern "C" fn self_test<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| match P::self_test(&mut server_ctx::<P>(call)) {
        Ok(()) => Outcome::of(OUTCOME_DONE),
        Err(refusal) => refused(call, &refusal),
    })
}

unsafe extern "C" fn panicked<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        // SAFETY: the input holds the message and ends with this call.
        let message = String::from_utf8_lossy(unsafe { input(call) });
        P::panicked(&mut client_ctx::<P>(call), &message).outcome()
    })
}

unsafe extern "C" fn command<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        // SAFETY: the input holds the arguments and ends with this call.
        let args = split_args(unsafe { input(call) });
        // SAFETY: as in `client_ctx`; the output is the admin's.
        let mut ctx = unsafe {
            CommandCtx::<P> {
                state: &mut *call.state.cast(),
                out: Out::new(&mut *call.out),
                shell: Shell::new(call),
            }
        };
        match P::command(&mut ctx, &args) {
            Ok(()) => Outcome::of(OUTCOME_DONE),
            Err(refusal) => refused(call, &refusal),
        }
    })
}

/// Takes the arguments apart: each a little-endian `u32` length and its bytes.
fn split_args(mut input: &[u8]) -> Vec<&[u8]> {
    let mut args = Vec::new();
    while let Some((len, rest)) = input.split_first_chunk::<4>() {
        let (arg, rest) = rest.split_at((u32::from_le_bytes(*len) as usize).min(rest.len()));
        args.push(arg);
        input = rest;
    }
    args
}

unsafe extern "C" fn event<P: Plugin>(call: *mut Call, id: u64) -> Outcome {
    guarded(call, |call| {
        P::event(&mut server_ctx::<P>(call), id);
        Outcome::of(OUTCOME_DONE)
    })
}

unsafe extern "C" fn shutdown<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        P::shutdown(&mut server_ctx::<P>(call));
        Outcome::of(OUTCOME_DONE)
    })
}

unsafe extern "C" fn drop_state<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        let root = core::ptr::NonNull::new(call.state).expect("the shell passes a root");
        // SAFETY: `init` wrote the root into memory of this layout; the shell never passes it again.
        unsafe {
            root.cast::<P::State>().drop_in_place();
            heap::free(root, Layout::new::<P::State>());
        }
        Outcome::of(OUTCOME_DONE)
    })
}

/// The extension tables of a plugin, as constants that live in its image.
struct Extensions<P>(core::marker::PhantomData<P>);

impl<P: Plugin> Extensions<P> {
    const MIGRATE: &'static MigrateTable = &MigrateTable::of::<P>();
    const JOURNAL: &'static JournalTable = &JournalTable {
        size: size_of::<JournalTable>() as u32,
        reserved: 0,
        replay: replay::<P>,
        describe: describe::<P>,
    };
    const LOADING: &'static LoadingTable = &LoadingTable {
        size: size_of::<LoadingTable>() as u32,
        reserved: 0,
        loading: loading::<P>,
    };
}

unsafe extern "C" fn extension<P: Plugin>(name: *const u8, len: usize) -> *const c_void {
    // SAFETY: the shell passes a text that is valid for the call.
    match unsafe { core::slice::from_raw_parts(name, len) } {
        name if name == table::MIGRATE.as_bytes() => {
            core::ptr::from_ref(Extensions::<P>::MIGRATE).cast()
        }
        name if P::REPLAYS && name == journal::JOURNAL.as_bytes() => {
            core::ptr::from_ref(Extensions::<P>::JOURNAL).cast()
        }
        name if P::ANSWERS_LOADING && name == loading::LOADING.as_bytes() => {
            core::ptr::from_ref(Extensions::<P>::LOADING).cast()
        }
        _ => core::ptr::null(),
    }
}

unsafe extern "C" fn loading<P: Plugin>(
    input: *const u8,
    input_len: usize,
    reply: *mut u8,
    room: usize,
    len: *mut usize,
) -> Outcome {
    let answered = catch_unwind(|| {
        // SAFETY: the shell owns the bytes and leaves them alone until the call returns.
        let unread = unsafe { core::slice::from_raw_parts(input, input_len) };
        let mut text = Vec::new();
        let flow = P::loading(unread, &mut text);
        text.truncate(room);
        // SAFETY: the shell passes room for so many bytes, and a place for their number.
        unsafe {
            core::ptr::copy_nonoverlapping(text.as_ptr(), reply, text.len());
            len.write(text.len());
        }
        flow.outcome()
    });
    answered.unwrap_or_else(|payload| {
        core::mem::forget(payload);
        Outcome::of(OUTCOME_CLOSE)
    })
}

unsafe extern "C" fn replay<P: Plugin>(call: *mut Call) -> Outcome {
    guarded(call, |call| {
        // SAFETY: the input holds the record and ends with this call.
        let record = unsafe { input(call) };
        match P::replay(&mut server_ctx::<P>(call), record) {
            Ok(()) => Outcome::of(OUTCOME_DONE),
            Err(refusal) => refused(call, &refusal),
        }
    })
}

unsafe extern "C" fn describe<P: Plugin>(
    record: *const u8,
    len: usize,
    take: TakeTextFn,
    to: *mut c_void,
) -> Outcome {
    // SAFETY: the shell owns the bytes and leaves them alone until the call returns.
    let record = unsafe { core::slice::from_raw_parts(record, len) };
    match catch_unwind(|| P::describe(record)) {
        Ok(Some(text)) => {
            // SAFETY: the shell's function takes a text that is valid for the call.
            unsafe { take(to, text.as_ptr(), text.len()) };
            Outcome::of(OUTCOME_DONE)
        }
        Ok(None) => Outcome::of(OUTCOME_REFUSED),
        Err(payload) => {
            core::mem::forget(payload);
            Outcome::of(OUTCOME_PANICKED)
        }
    }
}

/// Exports a plugin: the one symbol, the ELF note, the functions with their panic guards.
///
/// ```ignore
/// export_plugin!(App);                 // named after the package
/// export_plugin!(App, name = "kv");    // crates kv-v1 and kv-v2 are two versions of plugin `kv`
/// ```
///
/// Once per crate, which is `crate-type = ["cdylib", "rlib"]`. The version is the package's.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        $crate::export_plugin!($plugin, name = env!("CARGO_PKG_NAME"));
    };
    ($plugin:ty, name = $name:expr) => {
        const _: () = {
            use $crate::plugin::Plugin;
            const INPUT: $crate::note::NoteInput = $crate::note::NoteInput {
                plugin: $name,
                version: env!("CARGO_PKG_VERSION"),
                symbol: concat!("hotshell_plugin_", env!("CARGO_CRATE_NAME")),
                panic_abort: cfg!(panic = "abort"),
                schema_fingerprint: $crate::schema::fingerprint_of::<
                    <$plugin as Plugin>::State,
                    <$plugin as Plugin>::Session,
                >(),
                schema_number: <<$plugin as Plugin>::State as $crate::state::StateType>::NUMBER,
            };

            #[used]
            #[unsafe(link_section = ".note.hotshell")]
            static NOTE: $crate::note::Note = $crate::note::Note::new(INPUT);

            static TABLE: $crate::abi::PluginTable = $crate::export::table::<$plugin>();

            #[unsafe(export_name = concat!("hotshell_plugin_", env!("CARGO_CRATE_NAME")))]
            static ENTRY: $crate::abi::Entry = $crate::abi::Entry {
                magic: $crate::abi::MAGIC,
                abi_version: $crate::abi::ABI_VERSION,
                size: ::core::mem::size_of::<$crate::abi::Entry>() as u32,
                build_id: INPUT.build_id(),
                sabi_header: $crate::abi_stable::library::AbiHeader::VALUE,
                layout: <$crate::abi::PluginTable as $crate::abi_stable::StableAbi>::LAYOUT,
                table: &TABLE,
            };
        };
    };
}
