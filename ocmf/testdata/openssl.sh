#!/bin/sh
# Prints openssl.tsv anew: one text for each curve and hash, in both encodings of
# a signature and two forms of a public key, signed by openssl with fresh keys.
# Tests read the file and need no openssl.
set -e
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
n=0

sign() { # openssl's curve, OCMF's algorithm, hash, encoding, form of the key
	n=$((n + 1))
	openssl ecparam -name "$1" -genkey -noout -out "$dir/key"
	payload="{\"FV\":\"1.0\",\"GI\":\"gateway\",\"PG\":\"T$n\",\"MV\":\"vendor\",\"MS\":\"1EMH00${n}ä\",\"RD\":[{\"TM\":\"2026-02-06T12:00:00,000+0100 S\",\"TX\":\"B\",\"RV\":1000.5,\"RI\":\"01-00:98.08.00.FF\",\"RU\":\"kWh\",\"ST\":\"G\"}, {\"TM\":\"2026-02-06T13:00:00,000+0100 S\",\"TX\":\"E\",\"RV\":1015.$n,\"RU\":\"kWh\",\"ST\":\"G\"}]}"
	printf '%s' "$payload" >"$dir/text"
	openssl dgst "-$3" -sign "$dir/key" -out "$dir/signature" "$dir/text"
	case $4 in
	hex) data="\"SD\":\"$(xxd -p "$dir/signature" | tr -d '\n')\"" ;;
	base64) data="\"SE\":\"base64\",\"SD\":\"$(base64 -w0 "$dir/signature")\"" ;;
	esac
	case $5 in
	info) key=$(openssl ec -in "$dir/key" -pubout -outform DER 2>/dev/null | xxd -p | tr -d '\n') ;;
	point) key=$(openssl ec -in "$dir/key" -noout -text 2>/dev/null | sed -n '/^pub:/,/^ASN1/p' | grep '^ ' | tr -d ' :\n') ;;
	esac
	printf '%s\t%s\t%s\t%s\tOCMF|%s|{"SA":"%s",%s}\n' "$1" "$2" "$5" "$key" "$payload" "$2" "$data"
}

printf '# curve, algorithm, form of the key, key, text; made by openssl.sh\n'
while read -r curve name; do
	for bits in 256 384 512; do
		for encoding in hex base64; do
			for form in info point; do
				sign "$curve" "ECDSA-$name-SHA$bits" "sha$bits" "$encoding" "$form"
			done
		done
	done
done <<LIST
secp192k1 secp192k1
secp256k1 secp256k1
prime192v1 secp192r1
prime256v1 secp256r1
secp384r1 secp384r1
secp521r1 secp521r1
brainpoolP256r1 brainpool256r1
brainpoolP384r1 brainpool384r1
LIST
