//! Texts that are checked once, where they come in, and are types of their own from then on.

/// The text is not what it should be; the message says what that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseTextError {
    pub(crate) text: String,
    pub(crate) expected: &'static str,
}

/// The checksum of a text, 16 hexadecimal digits: FNV-1a of 64 bits. It is stable over time and machines, which the standard
/// library's hashes are not.
#[must_use]
pub fn checksum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Makes a newtype over a text, read from and written to JSON as that text. `$parse` gives the part of a text that is
/// kept, or `None` when the text is not `$expected`.
macro_rules! parsed_text {
    ($(#[$doc:meta])* $name:ident, $parse:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::text::ParseTextError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let parse: fn(&str) -> Option<&str> = $parse;
                match parse(&text) {
                    Some(kept) => Ok(Self(kept.to_owned())),
                    None => Err($crate::domain::text::ParseTextError { text, expected: $expected }),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::ParseTextError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(parsed: $name) -> Self {
                parsed.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}
pub(crate) use parsed_text;
