//! Counters: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use crate::cx::{Cx, Outcome, int};
use crate::errors;
use crate::extended::Extended;
use crate::flags::WRITE_FAST;
use crate::notify;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::Value;

rows! { String:
    "incr", 2, WRITE_FAST, ONE_KEY, v(1, 0), incr,
        "O(1)", "Increments the integer value of a key by one.";
    "decr", 2, WRITE_FAST, ONE_KEY, v(1, 0), decr,
        "O(1)", "Decrements the integer value of a key by one.";
    "incrby", 3, WRITE_FAST, ONE_KEY, v(1, 0), incrby,
        "O(1)", "Increments the integer value of a key by a number.";
    "decrby", 3, WRITE_FAST, ONE_KEY, v(1, 0), decrby,
        "O(1)", "Decrements a number from the integer value of a key.";
    "incrbyfloat", 3, WRITE_FAST, ONE_KEY, v(2, 6), incrbyfloat,
        "O(1)", "Increment the floating point value of a key by a number.";
}

fn incr(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    add(cx, args[1], 1)
}

fn decr(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    add(cx, args[1], -1)
}

fn incrby(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    add(cx, args[1], int(args[2])?)
}

fn decrby(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let by = int(args[2])?.checked_neg().ok_or("ERR decrement would overflow")?;
    add(cx, args[1], by)
}

fn add(cx: &mut Cx<'_>, key: &[u8], by: i64) -> Outcome {
    let n = match cx.get_mut(key) {
        Some(Value::Int(_, n)) => {
            *n = n.checked_add(by).ok_or(errors::OVERFLOW)?;
            *n
        }
        Some(value @ Value::Str(..)) => {
            let mut digits = Digits::new();
            let old = value.text(&mut digits).and_then(number::parse_i64);
            let n = old.ok_or(errors::NOT_AN_INTEGER)?.checked_add(by).ok_or(errors::OVERFLOW)?;
            *value = Value::Int(*value.head(), n);
            n
        }
        Some(_) => return Err(errors::WRONG_TYPE),
        None => {
            cx.put(key, Value::int(by));
            cx.notify(notify::STRING, "incrby", key);
            cx.out.int(by);
            return Ok(());
        }
    };
    cx.event(key, notify::STRING, "incrby");
    cx.out.int(n);
    Ok(())
}

fn incrbyfloat(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let key = args[1];
    let mut digits = Digits::new();
    let mut used = None;
    let old = match cx.get(key) {
        None => Extended::ZERO,
        Some(value) => {
            used = Some(value.head().access);
            let text = value.text(&mut digits).ok_or(errors::WRONG_TYPE)?;
            Extended::parse(text).ok_or(errors::NOT_A_FLOAT)?
        }
    };
    let by = Extended::parse(args[2]).ok_or(errors::NOT_A_FLOAT)?;
    let sum = old.plus(by).filter(Extended::is_finite).ok_or(errors::NOT_FINITE)?;
    let text = sum.to_text();
    let kept = cx.db().expiry(key);
    let mut sum = Value::Str(Default::default(), text.as_bytes().into());
    match used {
        // The key was used once, to be read.
        Some(access) => {
            sum.head_mut().access = access;
            cx.put_in(cx.session.db, key, sum);
        }
        None => cx.put(key, sum),
    }
    if let Some(at) = kept {
        cx.set_expiry(key, at);
    }
    cx.notify(notify::STRING, "incrbyfloat", key);
    cx.out.bulk(text.as_bytes());
    Ok(())
}
