//! Bounds on the optimum, and the gap between them, which cannot be printed rounded the wrong way.
//!
//! A lower bound is shown rounded downwards, an upper bound and a gap upwards, at whatever digits are asked for: `{}` shows
//! eight significant figures, `{:.3}` three decimals, `{:.3e}` three decimals and an exponent. The digits are cut from the exact
//! decimal expansion, so that the figure shown is itself a bound.
//!
//! Their serde form is the stored number itself, written with the shortest decimal that is read back as the same f64. That decimal
//! may lie on the wrong side of the number by less than half a unit in its last binary place; what was proved is the number that a
//! reader of the file gets back.

mod decimal;

use decimal::{Decimal, Direction};
use std::cmp::Ordering;
use std::fmt;

/// Significant figures of `{}`.
const FIGURES: usize = 8;
/// Decimals of a percentage, unless asked for.
const PERCENT_DECIMALS: usize = 3;

/// A number that no network's objective is below, in units of the objective. Shown rounded downwards.
///
/// Made by a proof ([`Proof::lower_bound`](crate::certificate::Proof::lower_bound)); one that was read from a file is the file's
/// claim.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct LowerBound(f64);

/// A number that a network's objective, and so the optimum, is not above, in units of the objective. Shown rounded upwards.
///
/// Made by [`Network::objective_upper`](crate::Network::objective_upper); one that was read from a file is the file's claim.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct UpperBound(f64);

/// (upper − lower)/upper, computed and shown rounded upwards: no network improves on this one by a larger fraction.
///
/// `{}` and `{:.2}` show a percentage, with three decimals or as many as asked for: `format!("globally optimal to {gap:.2}")`
/// gives "globally optimal to 0.01 %".
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Gap(f64);

impl LowerBound {
    /// For what has just been proved, rounding and all.
    pub(crate) fn proved(value: f64) -> Self {
        Self(value)
    }

    /// No objective is negative.
    pub(crate) fn trivial() -> Self {
        Self(0.0)
    }

    /// A bound at a weight decay between two at which bounds are proved, 0 ≤ a < γ < b.
    ///
    /// The optimum is concave in the weight decay, since it is the least of affine functions of it (one for each network): it is
    /// above the line through the two.
    pub(crate) fn between(weight_decay: f64, (a, low): (f64, Self), (b, high): (f64, Self)) -> Self {
        let (low, high) = (low.0, high.0);
        // It rises with the weight decay too, so the bound at a holds beyond.
        if !(a < weight_decay && weight_decay < b) || high <= low {
            return Self(if weight_decay >= a { low } else { 0.0 });
        }
        // Every operation on numbers that are not negative is rounded to nearest and then moved one step down, a divisor up.
        let part = ((weight_decay - a).next_down().max(0.0) / (b - a).next_up()).next_down().max(0.0);
        let rise = (part * (high - low).next_down().max(0.0)).next_down().max(0.0);
        Self((low + rise).next_down().max(low))
    }

    /// A bound at a weight decay γ below the one, γ₀, at which a W with ‖W‖² ≥ `squared` proves this one.
    ///
    /// |Wᵀ(Xu)₊| ≤ γ₀‖u‖ for all u gives the same for sW and sγ₀, and ⟨sW, Y⟩ − ½‖sW‖² = s(⟨W, Y⟩ − ½‖W‖²) + ½s(1 − s)‖W‖².
    /// A bound of zero may stand for a negative ⟨W, Y⟩ − ½‖W‖²: nothing follows from it.
    pub(crate) fn scaled(self, weight_decay: f64, proved_at: f64, squared: f64) -> Self {
        if weight_decay >= proved_at {
            return self;
        }
        if !(weight_decay > 0.0 && self.0 > 0.0 && squared.is_finite()) {
            return Self::trivial();
        }
        // As above; a smaller s proves less but is as valid.
        let scale = (weight_decay / proved_at).next_down().max(0.0);
        let own = (scale * self.0).next_down().max(0.0);
        let product = (scale * (1.0 - scale).next_down().max(0.0)).next_down().max(0.0);
        let more = (0.5 * product * squared).next_down().next_down().max(0.0);
        Self((own + more).next_down().max(0.0))
    }

    /// This bound, lowered to a number that nobody proved where that is smaller: still a bound.
    pub(crate) fn at_most(self, value: f64) -> Self {
        Self(self.0.min(value).max(0.0))
    }

    /// For what a file says, which has to be proved again.
    pub(crate) fn claimed(value: f64) -> Self {
        Self(value)
    }
}

impl UpperBound {
    /// For an objective that was computed rounded upwards.
    pub(crate) fn proved(value: f64) -> Self {
        Self(value)
    }
}

impl Gap {
    /// The gap between the bounds; 0 where they are equal, and 1 where the upper bound is not finite.
    pub fn between(upper: UpperBound, lower: LowerBound) -> Self {
        let (upper, lower) = (upper.0, lower.0);
        if upper == lower {
            return Self(0.0);
        }
        if !upper.is_finite() || lower == 0.0 {
            return Self(1.0);
        }
        // A step up after each operation that was rounded to nearest; numbers within a factor of two have an exact difference.
        let difference = upper - lower;
        let difference = if lower >= 0.5 * upper { difference } else { difference.next_up() };
        let gap = (difference / upper).next_up();
        Self(if lower > 0.0 { gap.min(1.0) } else { gap })
    }
}

macro_rules! figure {
    ($name:ident, $direction:ident) => {
        impl $name {
            /// The stored number, of which nobody knows any more which way it may be rounded.
            pub fn value(self) -> f64 {
                self.0
            }
        }

        impl From<$name> for f64 {
            fn from(figure: $name) -> Self {
                figure.0
            }
        }

        impl PartialEq<f64> for $name {
            fn eq(&self, other: &f64) -> bool {
                self.0 == *other
            }
        }

        impl PartialOrd<f64> for $name {
            fn partial_cmp(&self, other: &f64) -> Option<Ordering> {
                self.0.partial_cmp(other)
            }
        }

        impl fmt::LowerExp for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let decimals = f.precision().unwrap_or(FIGURES - 1);
                show(f, self.0, |number| number.scientific(decimals, Direction::$direction))
            }
        }

        /// The shortest decimal that is read back as the stored number.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    };
}

figure!(LowerBound, Down);
figure!(UpperBound, Up);
figure!(Gap, Up);

macro_rules! bound {
    ($name:ident, $direction:ident) => {
        impl $name {
            /// So many significant figures, in the notation that suits the size.
            pub fn significant(self, figures: usize) -> String {
                match Decimal::exact(self.0) {
                    Some(number) => {
                        let sign = if number.is_negative() { "-" } else { "" };
                        sign.to_owned() + &number.significant(figures, Direction::$direction)
                    }
                    None => self.0.to_string(),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let decimals = f.precision();
                show(f, self.0, |number| match decimals {
                    Some(decimals) => number.fixed(decimals, Direction::$direction),
                    None => number.significant(FIGURES, Direction::$direction),
                })
            }
        }
    };
}

bound!(LowerBound, Down);
bound!(UpperBound, Up);

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(PERCENT_DECIMALS);
        show(f, self.0, |number| number.scaled(2).fixed(decimals, Direction::Up) + " %")
    }
}

/// Of a lower and an upper bound.
impl PartialEq<UpperBound> for LowerBound {
    fn eq(&self, other: &UpperBound) -> bool {
        self.0 == other.0
    }
}

impl PartialOrd<UpperBound> for LowerBound {
    fn partial_cmp(&self, other: &UpperBound) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

/// With the width and alignment asked for.
fn show(f: &mut fmt::Formatter<'_>, value: f64, magnitude: impl FnOnce(Decimal) -> String) -> fmt::Result {
    match Decimal::exact(value) {
        Some(number) => f.pad_integral(!number.is_negative(), "", &magnitude(number)),
        None => f.pad_integral(value != f64::NEG_INFINITY, "", if value.is_nan() { "NaN" } else { "inf" }),
    }
}

#[cfg(test)]
mod tests {
    use crate::bounds::LowerBound;

    #[test]
    fn nothing_follows_from_a_bound_that_may_have_been_negative() {
        // y = 1, w = 3: ⟨w, y⟩ − ½w² = −1.5, shown as 0; at half the weight decay it is 0.375 and not ½·½·½·9.
        let bound = LowerBound::proved((3.0f64 - 4.5).max(0.0));
        assert_eq!(bound.scaled(0.5, 1.0, 9.0).value(), 0.0);
        assert_eq!(LowerBound::proved(1.0).scaled(0.5, 1.0, f64::INFINITY).value(), 0.0);
        // y = 1, w = ½: 0.375, and 0.21875 at half the weight decay.
        let half = LowerBound::proved(0.375).scaled(0.5, 1.0, 0.25).value();
        assert!(half <= 0.21875 && half > 0.21875 - 1e-12, "{half}");
        assert_eq!(LowerBound::proved(0.375).scaled(2.0, 1.0, 0.25).value(), 0.375);
    }
}
