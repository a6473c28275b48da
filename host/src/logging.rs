//! Log lines on standard error: for people by default, one JSON object a line on request.
//!
//! The verb of an event is its name: `swap: kv 1.0.0 -> 2.0.0 ...`.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{HostConfig, LogFormat};
use crate::observe::AboveBar;
use crate::time;

/// Starts logging. Without effect when the process logs already.
pub fn start(host: &HostConfig) {
    // A folder that is watched may go and come: notify thinks that worth a warning.
    let wanted = format!("notify=off,{}", host.log_level);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| AboveBar);
    let _ = match host.log_format {
        LogFormat::Human => builder.event_format(Human).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
    };
}

/// `2026-01-31T08:00:00.123Z INFO swap: kv 1.0.0 -> 2.0.0 ... by="admin pid 7"`.
struct Human;

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let (at, level) = (time::text(Timestamp::now()), event.metadata().level());
        write!(writer, "{at} {level:5} ")?;
        if !line.verb.is_empty() {
            write!(writer, "{}: ", line.verb)?;
        }
        writeln!(writer, "{}{}", line.message, line.rest)
    }
}

#[derive(Default)]
struct Line {
    verb: String,
    message: String,
    rest: String,
}

impl Line {
    fn put(&mut self, field: &Field, value: &dyn fmt::Display) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "verb" => write!(self.verb, "{value}"),
            "message" => write!(self.message, "{value}"),
            name => write!(self.rest, " {name}={value}"),
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match value.contains(' ') {
            true if field.name() != "message" => self.put(field, &format_args!("{value:?}")),
            _ => self.put(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format_args!("{value:?}"));
    }
}
