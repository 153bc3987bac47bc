package ocmf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"testing"
)

// TestCurves holds the constants to what they must be: a typing error in one of
// them would make another curve.
func TestCurves(t *testing.T) {
	for _, c := range curves {
		if !c.p.ProbablyPrime(20) || !c.n.ProbablyPrime(20) {
			t.Errorf("%s: p or n is not prime", c)
		}
		if !c.has(c.gx, c.gy) {
			t.Errorf("%s: its base point is not on it", c)
		}
		if x := c.combine(c.n, new(big.Int), affine(c.gx, c.gy)); x != nil {
			t.Errorf("%s: its base point is not of order n", c)
		}
		if y, ok := c.decompress(c.gx, c.gy.Bit(0) == 1); !ok || y.Cmp(c.gy) != 0 {
			t.Errorf("%s: its base point is not found by its x", c)
		}
		if c.standard == nil {
			continue
		}
		if p := c.standard.Params(); p.P.Cmp(c.p) != 0 || p.N.Cmp(c.n) != 0 || p.B.Cmp(c.b) != 0 || p.Gx.Cmp(c.gx) != 0 || p.Gy.Cmp(c.gy) != 0 {
			t.Errorf("%s is not the standard library's", c)
		}
	}
}

// TestGenericAgreesWithStandard compares our arithmetic with crypto/ecdsa, on
// signatures that are right and on ones with a bit changed.
func TestGenericAgreesWithStandard(t *testing.T) {
	for _, standard := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		c, err := curveNamed(standard.Params().Name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 16 {
			private, err := ecdsa.GenerateKey(standard, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			point, err := private.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			k, err := c.key(point)
			if err != nil {
				t.Fatal(err)
			}
			hash := make([]byte, 16+i)
			rand.Read(hash)
			r, s, err := ecdsa.Sign(rand.Reader, private, hash)
			if err != nil {
				t.Fatal(err)
			}
			if !c.verify(k.x, k.y, hash, r, s) {
				t.Errorf("%s: signature %x, %x of %x by %x is refused", c, r, s, hash, point)
			}
			flip(t, r, i)
			if want := ecdsa.Verify(&private.PublicKey, hash, r, s); c.verify(k.x, k.y, hash, r, s) != want || want {
				t.Errorf("%s: changed signature %x, %x of %x by %x: standard library says %t", c, r, s, hash, point, want)
			}
		}
	}
}

// flip changes a bit of n.
func flip(t *testing.T, n *big.Int, i int) {
	t.Helper()
	n.SetBit(n, i, n.Bit(i)^1)
}

// TestOutOfRange: numbers outside of 1 … n−1, and keys that are none, sign nothing.
func TestOutOfRange(t *testing.T) {
	one, zero := big.NewInt(1), new(big.Int)
	hash := make([]byte, 32)
	for _, c := range curves {
		over := new(big.Int).Add(c.n, one)
		for _, v := range [][2]*big.Int{
			{zero, one}, {one, zero}, {zero, zero}, {c.n, one}, {one, c.n}, {over, one}, {one, over}, {big.NewInt(-1), one}, {one, big.NewInt(-1)},
		} {
			if c.verify(c.gx, c.gy, hash, v[0], v[1]) {
				t.Errorf("%s: (%d, %d) counts as a signature", c, v[0], v[1])
			}
		}
		for name, q := range map[string][2]*big.Int{
			"zero": {zero, zero}, "off the curve": {c.gx, new(big.Int).Add(c.gy, one)}, "beyond the field": {new(big.Int).Add(c.gx, c.p), c.gy},
			"negative": {new(big.Int).Sub(c.gx, c.p), c.gy},
		} {
			if c.verify(q[0], q[1], hash, one, one) || c.has(q[0], q[1]) {
				t.Errorf("%s: a key that is %s is taken", c, name)
			}
		}
	}
}

// TestGroup: what the sums of points must be, infinity and equal points included.
func TestGroup(t *testing.T) {
	for _, c := range curves {
		g := affine(c.gx, c.gy)
		minus := affine(c.gx, new(big.Int).Sub(c.p, c.gy))
		if c.add(g, minus).z.Sign() != 0 || c.double(infinity()).z.Sign() != 0 {
			t.Errorf("%s: a point and its opposite do not cancel", c)
		}
		for name, q := range map[string]point{"g+g": c.add(g, g), "0+2g": c.add(infinity(), c.double(g)), "2g+0": c.add(c.double(g), infinity())} {
			if !samePoint(c, q, c.double(g)) {
				t.Errorf("%s: %s is not 2g", c, name)
			}
		}
		four := c.double(c.double(g))
		if !samePoint(c, four, c.add(g, c.add(g, c.add(g, g)))) {
			t.Errorf("%s: 4g is not g+g+g+g", c)
		}
	}
}

func samePoint(c *curve, a, b point) bool {
	sameX := c.mul(a.x, c.mul(b.z, b.z)).Cmp(c.mul(b.x, c.mul(a.z, a.z))) == 0
	azzz, bzzz := c.mul(a.z, c.mul(a.z, a.z)), c.mul(b.z, c.mul(b.z, b.z))
	return sameX && c.mul(a.y, bzzz).Cmp(c.mul(b.y, azzz)) == 0
}

func BenchmarkVerify(b *testing.B) {
	hash := make([]byte, 32)
	for _, c := range curves {
		b.Run(c.name, func(b *testing.B) {
			half := new(big.Int).Rsh(c.n, 1)
			for b.Loop() {
				c.verify(c.gx, c.gy, hash, half, c.gx)
				c.verify(c.gx, c.gy, hash, half, half)
			}
		})
	}
}
