//! When waiting clients stop waiting: an index by time.

use hotshell_plugin_api::collections::BTreeMap;
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;
