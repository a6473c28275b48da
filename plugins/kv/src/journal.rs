//! What the shell's journal holds: every command that changed data, in a form that means the same later.
//!
//! A record is the clock of the call in milliseconds (u64), the selected database (u32), and the
//! arguments, each as length (u32) and bytes; all little-endian. The command is run again with that
//! clock, so times to live end when they would have. What depends on chance, or on who was waiting, is
//! told by its effect: SPOP as SREM, an eviction as DEL, an element that went to a waiting client as
//! the pop it was.

use hotshell_plugin_api::abi::Buffer;
use hotshell_plugin_api::buffer;
use hotshell_plugin_api::plugin::Refusal;

use crate::access::Mark;
use crate::cx::{After, Cx};
use crate::dispatch;
use crate::reply::Out;
use crate::services::Services;
use crate::state::{Session, State};
use crate::table::Table;

/// Tells the journal of a change. Cheap when there is none.
pub fn tell(shell: &mut dyn Services, db: u32, args: &[&[u8]]) {
    if !shell.journals() {
        return;
    }
    let bytes: usize = args.iter().map(|arg| 4 + arg.len()).sum();
    let mut record = Vec::with_capacity(12 + bytes);
    record.extend_from_slice(&shell.unix_ms().to_le_bytes());
    record.extend_from_slice(&db.to_le_bytes());
    for arg in args {
        record.extend_from_slice(&(arg.len() as u32).to_le_bytes());
        record.extend_from_slice(arg);
    }
    shell.journal(&record);
}

/// The clock, the database and the arguments of a record.
fn parse(record: &[u8]) -> Option<(u64, u32, Vec<&[u8]>)> {
    let (now, rest) = record.split_first_chunk::<8>()?;
    let (db, mut rest) = rest.split_first_chunk::<4>()?;
    let mut args = Vec::new();
    while !rest.is_empty() {
        let (len, more) = rest.split_first_chunk::<4>()?;
        let (arg, more) = more.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        args.push(arg);
        rest = more;
    }
    let args = Some(args).filter(|args| !args.is_empty())?;
    Some((u64::from_le_bytes(*now), u32::from_le_bytes(*db), args))
}

/// A record as JSON: `{"unix_ms":1700000000000,"db":0,"command":["SET","key","value"]}`; what is no text
/// is `{"hex":"00ff"}`. `None`: it is no record of kv.
pub fn describe(record: &[u8]) -> Option<String> {
    let (now, db, args) = parse(record)?;
    let args: Vec<String> = args.into_iter().map(json).collect();
    Some(format!("{{\"unix_ms\":{now},\"db\":{db},\"command\":[{}]}}", args.join(",")))
}

fn json(arg: &[u8]) -> String {
    match std::str::from_utf8(arg) {
        Ok(text) if !text.contains(char::is_control) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => {
            let digits: String = arg.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{\"hex\":\"{digits}\"}}")
        }
    }
}

/// Runs the command of a record again.
///
/// # Errors
/// When it is no record of this plugin, or this version does not know the command.
pub fn replay(
    state: &mut State,
    shell: &mut dyn Services,
    table: &'static Table,
    record: &[u8],
) -> Result<(), Refusal> {
    let Some((now, db, args)) = parse(record) else {
        return Err(Refusal::new("it is no record of kv"));
    };
    let mut session = Session { db, ..Session::default() };
    let mut replies = Buffer::new();
    let mut cx = Cx {
        state,
        session: &mut session,
        out: Out::new(buffer::Out::new(&mut replies), false),
        now,
        replies_from: 0,
        began_ns: shell.monotonic_ns_now(),
        shell,
        table,
        client: 0,
        after: After::Next,
        in_exec: true,
        told: false,
        dirty: false,
        mark: Mark::new(now),
    };
    if dispatch::again(&mut cx, &args) {
        return Ok(());
    }
    let name = String::from_utf8_lossy(args[0]).to_ascii_uppercase();
    Err(Refusal::new(format!(
        "this version does not know {name} with {} arguments",
        args.len() - 1
    )))
}
