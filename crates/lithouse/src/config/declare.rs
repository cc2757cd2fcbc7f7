// SPDX-License-Identifier: Apache-2.0
//! The declaration of a setting: its name, form, variables, flag, default and description, all in one place.
//!
//! [`section!`] makes of one list the struct that the server works with, the reading of it, what `config show` prints, the flags
//! of the command line and the reference page.

use super::layers::Around;

/// What is said of a setting for people and for the layers.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// The table it stands in; empty at the top of the file.
    pub(super) section: &'static str,
    /// Its key in that table.
    pub(super) name: &'static str,
    /// The lines of its description: a paragraph that is short help, then perhaps more.
    pub(super) doc: &'static [&'static str],
    /// The form of its values, as a sentence.
    pub(super) expected: fn() -> String,
    /// The words that it can be, where they are few.
    pub(super) words: fn() -> Vec<&'static str>,
    /// The variables that set it, the first one that is there.
    pub(super) env: &'static [&'static str],
    /// What sets it on the command line.
    pub(super) flag: Option<Flag>,
    /// What it is otherwise, in words.
    pub(super) default: &'static str,
}

/// How a setting is said on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flag {
    /// `--name VALUE`.
    Named(&'static str, &'static str),
    /// `--name`, which says yes, or `--name=BOOL`.
    Switch(&'static str),
    /// An argument without a name, told as that.
    Position(&'static str),
    /// `--name` of every verb, which the command line declares itself.
    Everywhere(&'static str),
}

/// What a setting is when nobody says.
#[derive(Debug)]
pub(super) enum Otherwise<V> {
    /// What this text says.
    Text(&'static str),
    /// What is found on the machine; in words, and the finding.
    Found(&'static str, fn(&Around) -> V),
    /// Nothing: it must be said.
    Required,
}

impl<V> Otherwise<V> {
    pub(super) const fn words(&self) -> &'static str {
        match self {
            Self::Text(words) | Self::Found(words, _) => words,
            Self::Required => "must be given",
        }
    }
}

impl Declaration {
    /// The whole key, such as `hosting.port_range`.
    pub(crate) fn key(&self) -> String {
        joined(self.section, self.name)
    }

    /// The description, a text a paragraph.
    pub(super) fn paragraphs(&self) -> Vec<String> {
        let mut paragraphs = vec![String::new()];
        for line in self.doc.iter().map(|line| line.trim()) {
            match paragraphs.last_mut() {
                Some(last) if !line.is_empty() => {
                    last.push_str(if last.is_empty() { "" } else { " " });
                    last.push_str(line);
                }
                _ => paragraphs.push(String::new()),
            }
        }
        paragraphs
    }
}

/// A key within a table.
pub(super) fn joined(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// Declares a table of the configuration. A field has its type and, behind `as`, the
/// reader that makes it of what people write.
macro_rules! section {
    (
        $(#[$about:meta])*
        pub(crate) struct $Section:ident in $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $Type:ty as $Reader:ty {
                    $(env: $env:expr,)?
                    $(flag: $flag:expr,)?
                    default: $default:expr,
                }
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $Section {
            $(
                $(#[doc = $doc])+
                pub(crate) $field: $Type,
            )+
        }

        impl $Section {
            /// Every setting of the table.
            pub(in crate::config) const SETTINGS: &'static [$crate::config::declare::Declaration] = &[
                $($crate::config::declare::section!(@declaration $path $field $Reader { $($doc)+ } { $($env)? } { $($flag)? } $default),)+
            ];

            /// Reads the table. Of what is wrong, all is told.
            pub(in crate::config) fn read(scope: &mut $crate::config::layers::Scope<'_>) -> Option<Self> {
                $(let $field = Self::$field(scope);)+
                Some(Self { $($field: $field?),+ })
            }

            /// Each setting as it would be written.
            pub(in crate::config) fn show(&self) -> Vec<(&'static $crate::config::declare::Declaration, serde_json::Value)> {
                let values = [$(<$Reader as $crate::config::reader::Reader>::show(&self.$field)),+];
                Self::SETTINGS.iter().zip(values).collect()
            }

            $(
                /// Reads this one setting.
                pub(in crate::config) fn $field(
                    scope: &mut $crate::config::layers::Scope<'_>,
                ) -> Option<$Type> {
                    const SETTING: &$crate::config::declare::Declaration =
                        &$crate::config::declare::section!(@declaration $path $field $Reader { $($doc)+ } { $($env)? } { $($flag)? } $default);
                    scope.read::<$Reader>(SETTING, &$default)
                }
            )+
        }
    };
    (@declaration $path:literal $field:ident $Reader:ty { $($doc:literal)+ } { $($env:expr)? } { $($flag:expr)? } $default:expr) => {
        $crate::config::declare::Declaration {
            section: $path,
            name: stringify!($field),
            doc: &[$($doc),+],
            expected: <$Reader as $crate::config::reader::Reader>::expected,
            words: <$Reader as $crate::config::reader::Reader>::words,
            env: $crate::config::declare::section!(@or &[], $($env)?),
            flag: $crate::config::declare::section!(@some $($flag)?),
            default: {
                const OTHERWISE: &$crate::config::declare::Otherwise<<$Reader as $crate::config::reader::Reader>::Value> = &$default;
                OTHERWISE.words()
            },
        }
    };
    (@or $otherwise:expr, ) => { $otherwise };
    (@or $otherwise:expr, $given:expr) => { $given };
    (@some) => { None };
    (@some $given:expr) => { Some($given) };
}
pub(super) use section;
