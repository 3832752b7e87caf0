"""The relaxation in two shapes: as published, for CVXPY, and reduced, as a cone program for any solver.

X is n x d, Y is n x c. docs/mathematics.md, section 2, has both and why their values agree.
"""

import numpy as np
import scipy.sparse as sparse


def published(x, y, gamma):
    """The doubly nonnegative form of arXiv 2410.22311, of order 2n + d + c, equation by equation."""
    import cvxpy

    (n, d), c = x.shape, y.shape[1]
    lifted = cvxpy.Variable((2 * n + d + c, 2 * n + d + c), PSD=True)
    alpha, beta = slice(0, n), slice(n, 2 * n)
    u, v = slice(2 * n, 2 * n + d), slice(2 * n + d, 2 * n + d + c)
    m = np.hstack([-np.eye(n), np.eye(n), x, np.zeros((n, c))])
    loss = cvxpy.sum_squares(lifted[alpha, v] - y) / 2
    decay = gamma / 2 * (cvxpy.trace(lifted[u, u]) + cvxpy.trace(lifted[v, v]))
    constraints = [
        lifted[: 2 * n, : 2 * n] >= 0,
        m @ lifted @ m.T == 0,
        cvxpy.diag(lifted[alpha, beta]) == 0,
    ]
    return cvxpy.Problem(cvxpy.Minimize(loss + decay), constraints)


class Reduced:
    """min 1/2 z'pz + q'z subject to a z + slack = b, slack in {0}^zero x R+^nonnegative x PSD.

    z is the upper triangle, column by column, of the lifted matrix in (u, s, v), with alpha = (s + Xu)/2 and
    beta = (s - Xu)/2; its order is d + n + c. The residuals follow: with them the objective is the value itself,
    and a tolerance relative to it means what it says. The PSD rows of off-diagonal entries carry sqrt(2).
    """

    def __init__(self, x, y, gamma):
        (n, d), c = x.shape, y.shape[1]
        self.order = d + n + c
        forms, weights = _forms(x, c)
        alpha, beta, v = np.arange(n), n + np.arange(n), 2 * n + np.arange(c)

        predictions = self._products(forms, weights, np.repeat(alpha, c), np.tile(v, n))
        entries, residuals = self._entries(), n * c
        diagonal = _entry(np.arange(self.order), np.arange(self.order))
        self.p = sparse.diags(np.repeat([0.0, 1.0], [entries, residuals]), format="csc")
        self.q = np.zeros(entries + residuals)
        self.q[np.delete(diagonal, slice(d, d + n))] = gamma / 2

        # Squares of forms are nonnegative anyway, and alpha_i beta_i is an equality.
        i, j = np.triu_indices(n, 1)
        first = np.concatenate([alpha[i], beta[i], alpha[i], alpha[j]])
        second = np.concatenate([alpha[j], beta[j], beta[j], beta[i]])
        equalities = self._products(forms, weights, alpha, beta)
        pairs = self._products(forms, weights, first, second)
        scale = np.full(entries, np.sqrt(2))
        scale[diagonal] = 1
        blocks = [[predictions, -sparse.eye(residuals)], [equalities, None], [-pairs, None]]
        self.a = sparse.bmat([*blocks, [-sparse.diags(scale), None]], format="csc")
        self.b = np.zeros(self.a.shape[0])
        self.b[:residuals] = y.ravel()
        self.zero, self.nonnegative = residuals + n, len(first)

    def lower_triangle(self):
        """a with the rows of its PSD block in the order of the lower triangle, column by column."""
        head = self.zero + self.nonnegative
        columns, rows = np.triu_indices(self.order)
        return sparse.vstack([self.a[:head], self.a[head + _entry(columns, rows)]], format="csc")

    def _entries(self):
        return self.order * (self.order + 1) // 2

    def _products(self, forms, weights, first, second):
        """One row for each pair: the inner product of two linear forms in the lifted matrix."""
        k = forms.shape[1]
        one = np.repeat(forms[first], k, axis=1)
        two = np.tile(forms[second], (1, k))
        values = np.repeat(weights[first], k, axis=1) * np.tile(weights[second], (1, k))
        columns = _entry(np.minimum(one, two), np.maximum(one, two))
        rows = np.repeat(np.arange(len(first)), k * k)
        shape = (len(first), self._entries())
        matrix = sparse.csr_matrix((values.ravel(), (rows, columns.ravel())), shape=shape)
        matrix.eliminate_zeros()
        return matrix


def _forms(x, outputs):
    """Where the forms alpha, beta and v have their coefficients, and what these are: d + 1 places each."""
    n, d = x.shape
    places = np.tile(np.arange(d + 1), (2 * n + outputs, 1))
    weights = np.zeros(places.shape)
    places[:n, d] = places[n : 2 * n, d] = d + np.arange(n)
    weights[:n, :d], weights[n : 2 * n, :d], weights[: 2 * n, d] = x / 2, -x / 2, 0.5
    places[2 * n :, d], weights[2 * n :, d] = d + n + np.arange(outputs), 1
    return places, weights


def _entry(row, column):
    """Where an entry of the upper triangle (row <= column) stands when it is stored column by column."""
    return column * (column + 1) // 2 + row
