package ocmf

import (
	"crypto/elliptic"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A curve is y² = x³ + ax + b over the integers modulo p, with a base point
// (gx, gy) of prime order n and a cofactor of 1.
type curve struct {
	name      string
	aliases   []string // in lower case, as it is compared
	id        asn1.ObjectIdentifier
	standard  elliptic.Curve // of the standard library, for those that it has
	p, a, b   *big.Int
	gx, gy, n *big.Int
}

// size returns how many bytes a coordinate takes.
func (c *curve) size() int { return (c.p.BitLen() + 7) / 8 }

// String returns the name of the curve.
func (c *curve) String() string { return c.name }

// curves are those that OCMF names, with the parameters of SEC 2, FIPS 186-4
// and RFC 5639.
var curves = []*curve{
	{
		name: "secp192k1", id: asn1.ObjectIdentifier{1, 3, 132, 0, 31},
		p:  number("fffffffffffffffffffffffffffffffffffffffeffffee37"),
		a:  number("0"),
		b:  number("3"),
		gx: number("db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d"),
		gy: number("9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d"),
		n:  number("fffffffffffffffffffffffe26f2fc170f69466a74defd8d"),
	},
	{
		name: "secp192r1", aliases: []string{"prime192v1", "p-192", "p192"}, id: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1},
		p:  number("fffffffffffffffffffffffffffffffeffffffffffffffff"),
		a:  number("fffffffffffffffffffffffffffffffefffffffffffffffc"),
		b:  number("64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1"),
		gx: number("188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012"),
		gy: number("07192b95ffc8da78631011ed6b24cdd573f977a11e794811"),
		n:  number("ffffffffffffffffffffffff99def836146bc9b1b4d22831"),
	},
	{
		name: "secp256k1", id: asn1.ObjectIdentifier{1, 3, 132, 0, 10},
		p:  number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
		a:  number("0"),
		b:  number("7"),
		gx: number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		gy: number("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
		n:  number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
	},
	{
		name: "secp256r1", aliases: []string{"prime256v1", "p-256", "p256"}, id: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7},
		standard: elliptic.P256(),
		p:        number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
		a:        number("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc"),
		b:        number("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
		gx:       number("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
		gy:       number("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
		n:        number("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
	},
	{
		name: "brainpoolP256r1", aliases: []string{"brainpool256r1"}, id: asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7},
		p:  number("a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377"),
		a:  number("7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9"),
		b:  number("26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6"),
		gx: number("8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262"),
		gy: number("547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997"),
		n:  number("a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
	},
	{
		name: "secp384r1", aliases: []string{"p-384", "p384"}, id: asn1.ObjectIdentifier{1, 3, 132, 0, 34},
		standard: elliptic.P384(),
		p:        number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"),
		a:        number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc"),
		b:        number("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
		gx:       number("aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"),
		gy:       number("3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"),
		n:        number("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
	},
	{
		name: "brainpoolP384r1", aliases: []string{"brainpool384r1"}, id: asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11},
		p:  number("8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53"),
		a:  number("7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826"),
		b:  number("04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11"),
		gx: number("1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e"),
		gy: number("8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315"),
		n:  number("8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565"),
	},
	{
		name: "secp521r1", aliases: []string{"p-521", "p521"}, id: asn1.ObjectIdentifier{1, 3, 132, 0, 35},
		standard: elliptic.P521(),
		p:        number("01ff" + strings.Repeat("ff", 64)),
		a:        number("01ff" + strings.Repeat("ff", 63) + "fc"),
		b:        number("0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00"),
		gx:       number("00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"),
		gy:       number("011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"),
		n:        number("01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"),
	},
}

// number reads a constant of this file. A bad one is 0, on which no key and no
// signature is valid.
func number(digits string) *big.Int {
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok {
		return new(big.Int)
	}
	return n
}

// curveNamed returns the curve that goes by a name, whatever its case.
func curveNamed(name string) (*curve, error) {
	folded := strings.ToLower(name)
	for _, c := range curves {
		if strings.ToLower(c.name) == folded || slices.Contains(c.aliases, folded) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no curve %q is known", name)
}

// Curves returns the names of the curves that keys may be of.
func Curves() []string {
	names := make([]string, len(curves))
	for i, c := range curves {
		names[i] = c.name
	}
	return names
}

// rightSide returns x³ + ax + b.
func (c *curve) rightSide(x *big.Int) *big.Int {
	y := new(big.Int).Mul(x, x)
	y.Add(y, c.a).Mul(y, x).Add(y, c.b)
	return y.Mod(y, c.p)
}

// has reports whether a point lies on the curve, the point at infinity excepted.
func (c *curve) has(x, y *big.Int) bool {
	inField := func(v *big.Int) bool { return v.Sign() >= 0 && v.Cmp(c.p) < 0 }
	if !inField(x) || !inField(y) {
		return false
	}
	square := new(big.Int).Mul(y, y)
	return square.Mod(square, c.p).Cmp(c.rightSide(x)) == 0
}

// decompress returns the point with that x whose y is odd or even.
func (c *curve) decompress(x *big.Int, odd bool) (y *big.Int, ok bool) {
	if x.Cmp(c.p) >= 0 {
		return nil, false
	}
	y = new(big.Int).ModSqrt(c.rightSide(x), c.p)
	if y == nil {
		return nil, false
	}
	if (y.Bit(0) == 1) != odd {
		y.Sub(c.p, y)
	}
	return y, c.has(x, y)
}
