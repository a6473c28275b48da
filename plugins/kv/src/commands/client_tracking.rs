//! CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::reply::Reply;
use crate::tracking::{
    self, TRACKS_BROKEN, TRACKS_CACHING, TRACKS_NO_LOOP, TRACKS_OPT_IN, TRACKS_OPT_OUT,
    TRACKS_PREFIXES,
};

/// What CLIENT TRACKING is asked for.
#[derive(Debug, Default)]
struct Request<'a> {
    flags: u32,
    redirect: u64,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn read(cx: &Cx<'_>, words: &[&'a [u8]]) -> Result<Self, &'static str> {
        let mut all = Self::default();
        let mut rest = words;
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match *more {
                [id, ref more @ ..] if is(word, "redirect") => {
                    if all.redirect != 0 {
                        return Err("ERR A client can only redirect to a single other client");
                    }
                    all.redirect = int(id)? as u64;
                    if cx.shell.client_info(all.redirect).is_none() {
                        return Err("ERR The client ID you want redirect to does not exist");
                    }
                    rest = more;
                }
                [prefix, ref more @ ..] if is(word, "prefix") => {
                    all.prefixes.push(prefix);
                    rest = more;
                }
                _ if is(word, "bcast") => all.flags |= TRACKS_PREFIXES,
                _ if is(word, "optin") => all.flags |= TRACKS_OPT_IN,
                _ if is(word, "optout") => all.flags |= TRACKS_OPT_OUT,
                _ if is(word, "noloop") => all.flags |= TRACKS_NO_LOOP,
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(all)
    }

    /// Whether the options go together, and with what is in force.
    fn check(&self, old: Option<u32>) -> Outcome {
        let has = |flags: u32, bit: u32| flags & bit != 0;
        let (by_prefix, opt_in) = (TRACKS_PREFIXES, TRACKS_OPT_IN);
        if !has(self.flags, by_prefix) && !self.prefixes.is_empty() {
            return Err("ERR PREFIX option requires BCAST mode to be enabled");
        }
        if old.is_some_and(|old| has(old, by_prefix) != has(self.flags, by_prefix)) {
            return Err(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
            );
        }
        if has(self.flags, by_prefix) && has(self.flags, opt_in | TRACKS_OPT_OUT) {
            return Err("ERR OPTIN and OPTOUT are not compatible with BCAST");
        }
        if has(self.flags, opt_in) && has(self.flags, TRACKS_OPT_OUT) {
            return Err("ERR You can't use both OPTIN mode and OPTOUT mode");
        }
        let old = old.unwrap_or(0);
        if (has(self.flags, opt_in) && has(old, TRACKS_OPT_OUT))
            || (has(self.flags, TRACKS_OPT_OUT) && has(old, opt_in))
        {
            return Err(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
            );
        }
        Ok(())
    }

    /// The error of prefixes of which one begins the other.
    fn overlap(&self, known: &[Vec<u8>]) -> Option<String> {
        let overlaps = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for (n, prefix) in self.prefixes.iter().enumerate() {
            let old = known.iter().find(|old| overlaps(old, prefix));
            let other = self.prefixes[n + 1..].iter().find(|other| overlaps(other, prefix));
            let (kind, other) = match (old, other) {
                (Some(old), _) => ("an existing prefix", text(old)),
                (None, Some(other)) => ("another provided prefix", text(other)),
                _ => continue,
            };
            return Some(format!(
                "ERR Prefix '{}' overlaps with {kind} '{other}'. Prefixes for a single client must \
                 not overlap.",
                text(prefix)
            ));
        }
        None
    }
}

pub(super) fn tracking(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let mut request = Request::read(cx, &args[3..])?;
    if is(args[2], "off") {
        tracking::end(cx.state, cx.client);
        cx.out.ok();
        return Ok(());
    }
    if !is(args[2], "on") {
        return Err(errors::SYNTAX);
    }
    let old = cx.state.tracking.clients.get(&cx.client);
    request.check(old.map(|tracker| tracker.flags))?;
    if request.flags & TRACKS_PREFIXES != 0 {
        let known = old.map_or(&[][..], |tracker| &tracker.prefixes);
        let known: Vec<Vec<u8>> = known.iter().map(|prefix| prefix.to_vec()).collect();
        if let Some(text) = request.overlap(&known) {
            return cx.error(&text);
        }
        if request.prefixes.is_empty() {
            // Every key begins with nothing.
            request.prefixes.push(b"");
        }
    }
    tracking::begin(cx.state, cx.client, request.flags, request.redirect, &request.prefixes);
    cx.out.ok();
    Ok(())
}

/// Says of the next request whether its keys are noted.
pub(super) fn caching(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(tracker) = cx.state.tracking.clients.get_mut(&cx.client) else {
        return Err(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        );
    };
    let (mode, text) = match args[2] {
        word if is(word, "yes") => (
            TRACKS_OPT_IN,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ),
        word if is(word, "no") => (
            TRACKS_OPT_OUT,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ),
        _ => return Err(errors::SYNTAX),
    };
    if !tracker.has(mode) {
        return Err(text);
    }
    tracker.flags |= TRACKS_CACHING;
    cx.out.ok();
    Ok(())
}

/// Who hears of changes in place of the client: 0 itself, -1 when it does not track.
fn redirect(cx: &Cx<'_>) -> i64 {
    let tracker = cx.state.tracking.clients.get(&cx.client);
    tracker.map_or(-1, |tracker| tracker.redirect as i64)
}

pub(super) fn getredir(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let redirect = redirect(cx);
    cx.out.int(redirect);
    Ok(())
}

pub(super) fn trackinginfo(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let tracker = cx.state.tracking.clients.get(&cx.client);
    let has = |flag| tracker.is_some_and(|tracker| tracker.has(flag));
    let flags = [
        ("off", tracker.is_none()),
        ("on", tracker.is_some()),
        ("bcast", has(TRACKS_PREFIXES)),
        ("optin", has(TRACKS_OPT_IN)),
        ("caching-yes", has(TRACKS_OPT_IN | TRACKS_CACHING)),
        ("optout", has(TRACKS_OPT_OUT)),
        ("caching-no", has(TRACKS_OPT_OUT | TRACKS_CACHING)),
        ("noloop", has(TRACKS_NO_LOOP)),
        ("broken_redirect", has(TRACKS_BROKEN)),
    ];
    let redirect = redirect(cx);
    let flags = || flags.iter().filter(|(_, set)| *set);
    cx.out.map(3);
    cx.out.bulk(b"flags");
    cx.out.set(flags().count());
    flags().for_each(|(name, _)| cx.out.bulk(name.as_bytes()));
    cx.out.bulk(b"redirect");
    cx.out.int(redirect);
    cx.out.bulk(b"prefixes");
    let prefixes = tracker.map_or(&[][..], |tracker| &tracker.prefixes);
    cx.out.array(prefixes.len());
    prefixes.iter().for_each(|prefix| cx.out.bulk(prefix));
    Ok(())
}
