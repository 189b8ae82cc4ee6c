//! Enumerations that are stored by number and written by name.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $code:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$item])* $code = $number,)* }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The number it is stored under.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The one stored under a number.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.number() == number)
            }

            /// Its name on the command line and in documents.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }
        }
    };
}

pub(crate) use codes;
