//! Exact arithmetic on stored numbers, and what is decided in it.

use faer::Mat;
use num_bigint::{BigInt, Sign};
use relucert::{Network, TrainingProblem};
use std::ops::{Add, Mul, Neg};

/// mantissa · 2^exponent.
#[derive(Clone, Debug)]
pub struct Dyadic {
    pub mantissa: BigInt,
    pub exponent: i64,
}

impl Dyadic {
    pub fn zero() -> Self {
        Self { mantissa: BigInt::ZERO, exponent: 0 }
    }

    pub fn new(value: f64) -> Self {
        assert!(value.is_finite());
        let bits = value.to_bits();
        let field = (bits >> 52 & 0x7ff) as i64;
        let fraction = (bits & ((1 << 52) - 1)) as i64;
        let (mantissa, exponent) =
            if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
        Self { mantissa: BigInt::from(if value < 0.0 { -mantissa } else { mantissa }), exponent }.reduced()
    }

    fn reduced(mut self) -> Self {
        match self.mantissa.trailing_zeros() {
            Some(zeros) => {
                self.mantissa >>= zeros;
                self.exponent += zeros as i64;
                self
            }
            None => Self::zero(),
        }
    }

    pub fn at(&self, exponent: i64) -> BigInt {
        if self.mantissa == BigInt::ZERO {
            BigInt::ZERO
        } else {
            &self.mantissa << (self.exponent - exponent)
        }
    }

    /// At most the square root of a number that is not negative, and less by at most a part in 2²⁰⁰.
    pub fn root_below(&self) -> Self {
        let shift = 400 + self.exponent.rem_euclid(2);
        let mantissa = (&self.mantissa << shift).sqrt();
        Self { mantissa, exponent: (self.exponent - shift) / 2 }.reduced()
    }

    pub fn is_negative(&self) -> bool {
        self.mantissa.sign() == Sign::Minus
    }
}

impl Add for &Dyadic {
    type Output = Dyadic;
    fn add(self, other: &Dyadic) -> Dyadic {
        match (self.mantissa.sign(), other.mantissa.sign()) {
            (Sign::NoSign, _) => return other.clone(),
            (_, Sign::NoSign) => return self.clone(),
            _ => {}
        }
        let exponent = self.exponent.min(other.exponent);
        Dyadic { mantissa: self.at(exponent) + other.at(exponent), exponent }.reduced()
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;
    fn mul(self, other: &Dyadic) -> Dyadic {
        Dyadic { mantissa: &self.mantissa * &other.mantissa, exponent: self.exponent + other.exponent }
            .reduced()
    }
}

impl Neg for &Dyadic {
    type Output = Dyadic;
    fn neg(self) -> Dyadic {
        Dyadic { mantissa: -&self.mantissa, exponent: self.exponent }
    }
}

/// Positive semidefiniteness by fraction-free elimination with diagonal pivots.
pub fn is_semidefinite(q: &[Vec<Dyadic>]) -> bool {
    let order = q.len();
    let entries = q.iter().flatten().filter(|v| v.mantissa != BigInt::ZERO);
    let exponent = entries.map(|v| v.exponent).min().unwrap_or(0);
    let mut m: Vec<Vec<BigInt>> = q.iter().map(|row| row.iter().map(|v| v.at(exponent)).collect()).collect();
    let mut previous = BigInt::from(1);
    for k in 0..order {
        if (k..order).any(|i| m[i][i] < BigInt::ZERO) {
            return false;
        }
        let Some(p) = (k..order).find(|&i| m[i][i] > BigInt::ZERO) else {
            return (k..order).all(|i| (k..order).all(|j| m[i][j] == BigInt::ZERO));
        };
        m.swap(k, p);
        m.iter_mut().for_each(|row| row.swap(k, p));
        for i in k + 1..order {
            for j in k + 1..order {
                m[i][j] = (&m[k][k] * &m[i][j] - &m[i][k] * &m[k][j]) / &previous;
            }
        }
        previous = m[k][k].clone();
    }
    true
}

/// ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) of the stored numbers.
pub fn exact_objective(problem: &TrainingProblem, network: &Network) -> Dyadic {
    let (d, c, m) = (problem.inputs(), problem.outputs(), network.width());
    let mut total = Dyadic::zero();
    for i in 0..problem.samples() {
        for k in 0..c {
            let mut residual = Dyadic::new(-problem.targets()[(i, k)]);
            for j in 0..m {
                let mut a = Dyadic::zero();
                for l in 0..d {
                    let x = Dyadic::new(problem.features()[(i, l)]);
                    a = &a + &(&x * &Dyadic::new(network.hidden()[(l, j)]));
                }
                if !a.is_negative() {
                    residual = &residual + &(&a * &Dyadic::new(network.output()[(k, j)]));
                }
            }
            total = &total + &(&residual * &residual);
        }
    }
    let gamma = Dyadic::new(problem.weight_decay());
    for array in [network.hidden(), network.output()] {
        for value in array.col_iter().flat_map(|column| column.iter()) {
            let w = Dyadic::new(*value);
            total = &total + &(&gamma * &(&w * &w));
        }
    }
    &Dyadic::new(0.5) * &total
}

/// A stream of numbers in [−1, 1).
pub struct Stream(pub u64);

impl Stream {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn below(&mut self, count: usize) -> usize {
        ((self.next() + 1.0) * 0.5 * count as f64) as usize % count
    }

    pub fn matrix(&mut self, rows: usize, columns: usize) -> Mat<f64> {
        Mat::from_fn(rows, columns, |_, _| self.next())
    }
}
