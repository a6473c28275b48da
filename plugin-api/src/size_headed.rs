//! Structs that grow at their end: [`size_headed`].

use abi_stable::StableAbi;

/// What abi_stable sees of a size-headed struct, wherever a pointer leads to one.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub struct SizeHeaded {
    size: u32,
}

/// Has abi_stable follow pointers to these structs no further: they tell their size themselves, and what is
/// behind may grow. It would refuse a plugin for each field that the shell has and the plugin does not know.
macro_rules! size_headed {
    ($($of:ty),+ $(,)?) => {$(
        // SAFETY: the type has no parameters.
        unsafe impl abi_stable::pmr::GetStaticEquivalent_ for $of {
            type StaticEquivalent = Self;
        }

        // SAFETY: it crosses the boundary behind pointers only, and nobody reads or writes beyond the size
        // that it tells. What each version of it begins with is kept in the golden file.
        unsafe impl abi_stable::StableAbi for $of {
            type IsNonZeroType = abi_stable::pmr::False;
            const LAYOUT: &'static abi_stable::type_layout::TypeLayout =
                <$crate::size_headed::SizeHeaded as abi_stable::StableAbi>::LAYOUT;
        }
    )+};
}

pub(crate) use size_headed;

#[cfg(test)]
mod tests {
    use abi_stable::StableAbi;
    use abi_stable::abi_stability::abi_checking::check_layout_compatibility;

    use super::SizeHeaded;
    use crate::abi::{Call, ClientInfo, HostTable, ServerInfo};
    use crate::durability::Durability;
    use crate::heap::HeapTable;

    /// A plugin's table whose function takes one of the shell's, as it was and as it grew.
    macro_rules! version {
        ($name:ident: $(#[$seen:meta])? { $($field:ident),* } $($headed:ident)?) => {
            mod $name {
                #[repr(C)]
                $(#[$seen])?
                pub struct Services {
                    $(pub $field: u32,)*
                }
                $(super::super::$headed!(Services);)?

                #[repr(C)]
                #[derive(abi_stable::StableAbi)]
                pub struct Table {
                    pub attach: unsafe extern "C" fn(services: *const Services),
                }
            }
        };
    }

    version!(before: { size, one } size_headed);
    version!(grown: { size, one, two } size_headed);
    version!(seen_before: #[derive(abi_stable::StableAbi)] { size, one });
    version!(seen_grown: #[derive(abi_stable::StableAbi)] { size, one, two });

    #[test]
    fn a_field_that_a_table_of_the_shell_got_does_not_keep_older_plugins_from_being_loaded() {
        let (before, grown) = (before::Table::LAYOUT, grown::Table::LAYOUT);
        check_layout_compatibility(grown, before).expect("a newer shell takes an older plugin");
        check_layout_compatibility(before, grown).expect("an older shell takes a newer plugin");
        let (before, grown) = (seen_before::Table::LAYOUT, seen_grown::Table::LAYOUT);
        check_layout_compatibility(grown, before).expect_err("without its help it is refused");
    }

    #[test]
    fn each_struct_that_tells_its_size_is_seen_by_its_head() {
        for layout in [
            HostTable::LAYOUT,
            HeapTable::LAYOUT,
            Call::LAYOUT,
            ClientInfo::LAYOUT,
            ServerInfo::LAYOUT,
            Durability::LAYOUT,
        ] {
            assert_eq!(layout.get_utypeid(), SizeHeaded::LAYOUT.get_utypeid(), "{layout}");
        }
    }
}
