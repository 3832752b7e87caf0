//! [`Blocks`] and [`Prices`] as text: what is shown parses back to the same value.

use super::{Blocks, Prices};
use crate::error::{Error, Result};
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// `auto`, or the number of blocks.
impl Display for Blocks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Count(count) => Display::fmt(count, f),
        }
    }
}

impl FromStr for Blocks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(count) if count > 0 => Ok(Self::Count(count)),
            _ if text == "auto" => Ok(Self::Auto),
            _ => Err(Error::Parameter {
                name: "blocks",
                value: text.into(),
                range: "auto or a positive number",
            }),
        }
    }
}

/// `none`, `auto`, or the largest number of rounds.
impl Display for Prices {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Auto => f.pad("auto"),
            Self::Rounds(rounds) => Display::fmt(rounds, f),
        }
    }
}

impl FromStr for Prices {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Rounds).map_err(|_| Error::Parameter {
                name: "prices",
                value: text.into(),
                range: "none, auto or a number",
            }),
        }
    }
}
