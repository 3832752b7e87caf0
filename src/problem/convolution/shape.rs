//! Where the patches of an image lie, and which of them are pooled.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// How the rectified values at the positions of a filter are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pooling {
    /// The mean over all positions.
    Average,
    /// No pooling: output weights for every position.
    None,
    /// The means over blocks of so many rows and columns of positions, side by side; they must fit without a rest.
    Blocks(usize, usize),
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Average => f.write_str("average"),
            Self::None => f.write_str("none"),
            Self::Blocks(rows, columns) => write!(f, "{rows}x{columns}"),
        }
    }
}

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let sizes: Option<Vec<usize>> =
            text.split('x').map(|part| part.parse().ok().filter(|size| *size > 0)).collect();
        match (text, sizes.as_deref()) {
            ("average", _) => Ok(Self::Average),
            ("none", _) => Ok(Self::None),
            (_, Some([rows, columns])) => Ok(Self::Blocks(*rows, *columns)),
            _ => Err(Error::Input(format!("'{text}' is no pooling; say average, none, or ROWSxCOLUMNS"))),
        }
    }
}

/// Images of H × W pixels with C channels, filters of A × B pixels and all channels, moved by a stride in both directions
/// without padding, and pooling over blocks of P × Q positions.
///
/// A sample's features are its pixels in row-major order, the channels of a pixel side by side. Positions are numbered so
/// that those of a block follow one another, blocks and positions within a block in row-major order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    image: [usize; 3],
    filter: [usize; 2],
    stride: usize,
    pool: [usize; 2],
}

/// Most weights of a filter, pixels of an image, and positions: sizes beyond them are mistakes.
const MOST: usize = 1 << 20;

impl ConvolutionShape {
    /// Image H × W × C, filter A × B, stride. Errors: a size of zero, a filter larger than the image, blocks that do not fit.
    pub fn new(image: [usize; 3], filter: [usize; 2], stride: usize, pooling: Pooling) -> Result<Self> {
        let [h, w, c] = image;
        let [a, b] = filter;
        let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        if [h, w, c, a, b, stride].contains(&0) {
            return Err(Error::Input(
                "image, filter and stride must be at least 1 in every direction".into(),
            ));
        }
        if product(&image).is_none_or(|pixels| pixels > MOST) {
            return Err(Error::Input(format!(
                "an image of {h}x{w}x{c} has more than {MOST} numbers; take a smaller one"
            )));
        }
        if a > h || b > w {
            return Err(Error::Input(format!(
                "a filter of {a}x{b} does not fit on an image of {h}x{w}; take a smaller one"
            )));
        }
        let grid = [(h - a) / stride + 1, (w - b) / stride + 1];
        let pool = match pooling {
            Pooling::Average => grid,
            Pooling::None => [1, 1],
            Pooling::Blocks(rows, columns) => [rows, columns],
        };
        if pool.contains(&0) || !grid[0].is_multiple_of(pool[0]) || !grid[1].is_multiple_of(pool[1]) {
            return Err(Error::Input(format!(
                "blocks of {}x{} do not divide the {}x{} positions of the filter without a rest; take sizes that do",
                pool[0], pool[1], grid[0], grid[1]
            )));
        }
        Ok(Self { image, filter, stride, pool })
    }

    /// H, W, C.
    pub fn image(&self) -> [usize; 3] {
        self.image
    }

    /// A, B.
    pub fn filter(&self) -> [usize; 2] {
        self.filter
    }

    /// By how many pixels a filter moves.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// P, Q.
    pub fn pool(&self) -> [usize; 2] {
        self.pool
    }

    /// HWC: the features of a sample.
    pub fn inputs(&self) -> usize {
        self.image.iter().product()
    }

    /// h = ABC: the weights of a filter.
    pub fn weights(&self) -> usize {
        self.filter[0] * self.filter[1] * self.image[2]
    }

    /// Rows and columns of positions.
    pub fn grid(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.image[axis] - self.filter[axis]) / self.stride + 1)
    }

    /// K: the positions of a filter on an image.
    pub fn positions(&self) -> usize {
        self.grid().iter().product()
    }

    /// PQ: the positions of a block.
    pub fn pooled(&self) -> usize {
        self.pool.iter().product()
    }

    /// a: the blocks of positions.
    pub fn blocks(&self) -> usize {
        self.positions() / self.pooled()
    }

    /// For every position, by blocks, where its patch begins among the features.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let ([_, width, channels], [_, columns], [p, q]) = (self.image, self.grid(), self.pool);
        let (across, pooled) = (columns / q, self.pooled());
        let start = |position: usize| {
            let (block, within) = (position / pooled, position % pooled);
            let row = block / across * p + within / q;
            let column = block % across * q + within % q;
            (row * width + column) * self.stride * channels
        };
        (0..self.positions()).map(start).collect()
    }

    /// For every weight of a filter, how far its feature is from where a patch begins.
    pub(crate) fn offsets(&self) -> Vec<usize> {
        let ([_, width, channels], [_, b]) = (self.image, self.filter);
        let offset = |weight: usize| {
            let (pixel, channel) = (weight / channels, weight % channels);
            (pixel / b * width + pixel % b) * channels + channel
        };
        (0..self.weights()).map(offset).collect()
    }
}
