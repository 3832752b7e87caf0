//! Decimals of a floating-point number, rounded in a direction of one's choice. Nothing here is rounded to nearest: every
//! f64 has a finite decimal expansion, which is written out and cut.

/// Digits of the longest expansion of an f64, that of the largest subnormal number.
const LONGEST: usize = 767;
/// Powers of ten between which a number is written without an exponent.
const PLAIN: std::ops::Range<i32> = -5..8;

/// Which way digits are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Never above the number.
    Down,
    /// Never below it.
    Up,
}

/// ±d₀.d₁d₂… · 10^exponent. Exact, until it is cut.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    negative: bool,
    /// Each from 0 to 9; the first is 0 for zero only.
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    /// The exact expansion; none of an infinity or NaN.
    pub(crate) fn exact(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let text = format!("{:.*e}", LONGEST - 1, value.abs());
        let (digits, exponent) = text.split_once('e')?;
        Some(Self {
            negative: value < 0.0,
            digits: digits.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect(),
            exponent: exponent.parse().ok()?,
        })
    }

    /// This number times 10^power.
    pub(crate) fn scaled(mut self, power: i32) -> Self {
        if !self.is_zero() {
            self.exponent += power;
        }
        self
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|digit| *digit == 0)
    }

    /// The magnitude with so many digits after the point.
    pub(crate) fn fixed(self, decimals: usize, direction: Direction) -> String {
        let last = -i32::try_from(decimals).unwrap_or(i32::MAX);
        let cut = self.cut(last, direction);
        let digit = |power: i32| {
            let index = usize::try_from(cut.exponent - power).ok();
            char::from(b'0' + index.and_then(|index| cut.digits.get(index)).copied().unwrap_or(0))
        };
        let mut text: String = (0..=cut.exponent.max(0)).rev().map(digit).collect();
        if decimals > 0 {
            text.push('.');
            text.extend((1..=-last).map(|place| digit(-place)));
        }
        text
    }

    /// The magnitude with so many significant figures, in the notation that suits its size.
    pub(crate) fn significant(self, figures: usize, direction: Direction) -> String {
        let figures = figures.clamp(1, LONGEST);
        if self.is_zero() {
            return "0".into();
        }
        let kept = figures as i32 - 1;
        let last = self.exponent - kept;
        // Rounding away from zero may carry into one digit more.
        let cut = self.cut(last, direction);
        if PLAIN.contains(&cut.exponent) && cut.exponent <= kept {
            let decimals = (kept - cut.exponent) as usize;
            return cut.fixed(decimals, direction);
        }
        cut.scientific(kept as usize, direction)
    }

    /// The magnitude as d.ddd…e±x with so many digits after the point.
    pub(crate) fn scientific(self, decimals: usize, direction: Direction) -> String {
        let kept = i32::try_from(decimals).unwrap_or(i32::MAX);
        let last = self.exponent.saturating_sub(kept);
        let cut = self.cut(last, direction);
        let digit = |index: usize| char::from(b'0' + cut.digits.get(index).copied().unwrap_or(0));
        let mut text = String::from(digit(0));
        if decimals > 0 {
            text.push('.');
            text.extend((1..=decimals).map(digit));
        }
        text + &format!("e{}", cut.exponent)
    }

    /// Drops every digit below 10^last; one up in that place where something was dropped and the direction leads away from
    /// zero.
    fn cut(mut self, last: i32, direction: Direction) -> Self {
        let away = self.negative == (direction == Direction::Down);
        let kept = i64::from(self.exponent) - i64::from(last) + 1;
        let kept = usize::try_from(kept.max(0)).unwrap_or(usize::MAX).min(self.digits.len());
        let dropped = self.digits[kept..].iter().any(|digit| *digit != 0);
        self.digits.truncate(kept);
        if dropped && away {
            // Digits may end before the place only where nothing was dropped.
            match self.digits.iter().rposition(|digit| *digit < 9) {
                Some(place) => {
                    self.digits[place] += 1;
                    self.digits[place + 1..].fill(0);
                }
                None => {
                    // 99…9, or no digit at all: a power of ten.
                    self.exponent = if self.digits.is_empty() { last } else { self.exponent + 1 };
                    self.digits.fill(0);
                    self.digits.insert(0, 1);
                }
            }
        } else if self.digits.is_empty() {
            self.exponent = 0;
        }
        self
    }
}
