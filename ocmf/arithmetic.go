package ocmf

import "math/big"

// The arithmetic of points for curves that the standard library lacks. It runs
// in variable time, which is why it may be this short: it verifies, and all that
// it sees is public. The libraries that there are bring signing, key exchange
// and constant time for one or two of these curves each, and no two of them the
// same face.

// A point is in Jacobian coordinates: (x/z², y/z³); z = 0 is infinity.
type point struct{ x, y, z *big.Int }

func affine(x, y *big.Int) point { return point{x, y, big.NewInt(1)} }

func infinity() point { return point{big.NewInt(1), big.NewInt(1), new(big.Int)} }

func (c *curve) mul(a, b *big.Int) *big.Int {
	r := new(big.Int).Mul(a, b)
	return r.Rem(r, c.p)
}

func (c *curve) sub(a, b *big.Int) *big.Int {
	r := new(big.Int).Sub(a, b)
	if r.Sign() < 0 {
		r.Add(r, c.p)
	}
	return r
}

// twice returns a doubled n times.
func (c *curve) twice(a *big.Int, n uint) *big.Int {
	r := new(big.Int).Lsh(a, n)
	return r.Rem(r, c.p)
}

// double returns 2q.
func (c *curve) double(q point) point {
	if q.z.Sign() == 0 || q.y.Sign() == 0 {
		return infinity()
	}
	yy, zz := c.mul(q.y, q.y), c.mul(q.z, q.z)
	s := c.twice(c.mul(q.x, yy), 2)
	xx := c.mul(q.x, q.x)
	m := new(big.Int).Lsh(xx, 1)
	m.Add(m, xx)
	if c.a.Sign() != 0 {
		m.Add(m, c.mul(c.a, c.mul(zz, zz)))
	}
	m.Rem(m, c.p)
	x := c.sub(c.mul(m, m), c.twice(s, 1))
	y := c.sub(c.mul(m, c.sub(s, x)), c.twice(c.mul(yy, yy), 3))
	return point{x, y, c.twice(c.mul(q.y, q.z), 1)}
}

// add returns q + r.
func (c *curve) add(q, r point) point {
	if q.z.Sign() == 0 {
		return r
	}
	if r.z.Sign() == 0 {
		return q
	}
	qzz, rzz := c.mul(q.z, q.z), c.mul(r.z, r.z)
	u, v := c.mul(q.x, rzz), c.mul(r.x, qzz)
	s, t := c.mul(q.y, c.mul(r.z, rzz)), c.mul(r.y, c.mul(q.z, qzz))
	h, w := c.sub(v, u), c.sub(t, s)
	if h.Sign() == 0 {
		if w.Sign() == 0 {
			return c.double(q)
		}
		return infinity()
	}
	hh := c.mul(h, h)
	hhh, uhh := c.mul(h, hh), c.mul(u, hh)
	x := c.sub(c.sub(c.mul(w, w), hhh), c.twice(uhh, 1))
	y := c.sub(c.mul(w, c.sub(uhh, x)), c.mul(s, hhh))
	return point{x, y, c.mul(h, c.mul(q.z, r.z))}
}

// combine returns the x of j·G + k·q, or nil at infinity. It doubles once for
// both numbers.
func (c *curve) combine(j, k *big.Int, q point) *big.Int {
	g := affine(c.gx, c.gy)
	table := [...]point{1: g, 2: q, 3: c.add(g, q)}
	sum := infinity()
	for i := max(j.BitLen(), k.BitLen()) - 1; i >= 0; i-- {
		sum = c.double(sum)
		if bits := j.Bit(i) | k.Bit(i)<<1; bits != 0 {
			sum = c.add(sum, table[bits])
		}
	}
	if sum.z.Sign() == 0 {
		return nil
	}
	inverse := new(big.Int).ModInverse(sum.z, c.p)
	return c.mul(sum.x, c.mul(inverse, inverse))
}

// verify reports whether (r, s) is the key's ECDSA signature of a hash (FIPS
// 186-5 §6.4.2).
func (c *curve) verify(x, y *big.Int, hash []byte, r, s *big.Int) bool {
	inOrder := func(v *big.Int) bool { return v.Sign() > 0 && v.Cmp(c.n) < 0 }
	if !inOrder(r) || !inOrder(s) || !c.has(x, y) {
		return false
	}
	e := new(big.Int).SetBytes(hash)
	if surplus := 8*len(hash) - c.n.BitLen(); surplus > 0 {
		e.Rsh(e, uint(surplus))
	}
	w := new(big.Int).ModInverse(s, c.n)
	j, k := new(big.Int).Mul(e, w), new(big.Int).Mul(r, w)
	sum := c.combine(j.Mod(j, c.n), k.Mod(k, c.n), affine(x, y))
	return sum != nil && sum.Mod(sum, c.n).Cmp(r) == 0
}
