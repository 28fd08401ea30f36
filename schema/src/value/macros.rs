//! The plumbing every textual value shares: a checked constructor, display, serde and JSON Schema.

/// Implements the common traits of a newtype over `Arc<str>` whose `check(&str) -> Result<Cow<str>, ValueError>`
/// function returns the normalised text.
macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident, $check:path, $schema:tt) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::SerializeDisplay, serde_with::DeserializeFromStr)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The value as text, in its normalised form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::value::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $check(text).map(|text| Self(text.into()))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        crate::value::macros::text_schema!($name, $schema);
    };
}

/// Implements display, conversions and the JSON Schema of a type that reads and writes as a string.
/// The type itself provides `as_str` (or `Display` by hand) and `FromStr`.
macro_rules! text_schema {
    ($name:ident, $schema:tt) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        crate::value::macros::string_conversions!($name, $schema);
    };
}

/// Implements the conversion into text and the JSON Schema of a type that has `Display` and `FromStr`, by which serde
/// writes and reads it.
macro_rules! string_conversions {
    ($name:ident, $schema:tt) => {
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

pub(crate) use {string_conversions, text_schema, text_value};
