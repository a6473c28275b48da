use hotshell_plugin_api::state;

#[state]
#[repr(C, packed)]
struct Packed {
    tag: u8,
    visits: u64,
}

#[repr(align(64))]
#[state]
struct Aligned {
    visits: u64,
}

#[state]
#[repr(C)]
enum Mode {
    Open,
}

#[state]
#[cfg_attr(all(), repr(packed))]
struct Hidden {
    tag: u8,
    visits: u64,
}

fn main() {}
