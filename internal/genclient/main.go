// Command genclient writes the Go client, leyden/client, from the OpenAPI
// document of this very code: a type for each schema, a method for each
// operation, and for each list that has cursors an iterator. What cannot be
// generated (credentials, retries, errors, following) stands beside it by hand.
//
//	go run ./internal/genclient               writes client/*_gen.go
//	go run ./internal/genclient -check        fails if they are not what it would write
//	go run ./internal/genclient -document F   writes the document itself to F
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"

	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/rest"
)

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "write nothing, and fail if what is there is not fresh")
	folder := flag.String("out", "client", "folder of the package")
	document := flag.String("document", "", "write the OpenAPI document to this file, and nothing else")
	flag.Parse()
	if err := run(*folder, *document, *check); err != nil {
		log.Fatalf("genclient: %v", err)
	}
}

func run(folder, document string, check bool) error {
	api := rest.New(rest.Config{Version: "generated"})
	apiv1.Register(api, apiv1.Config{})
	apiv2.Register(api, nil, nil)
	data, err := api.Document()
	if err != nil {
		return err
	}
	if document != "" {
		return os.WriteFile(document, data, 0o644)
	}
	var doc openAPI
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if err := doc.follow(); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	files := map[string]string{"types_gen.go": doc.types(), "operations_gen.go": doc.operations()}
	for name, text := range files {
		source, err := format.Source([]byte(text))
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, text)
		}
		if err := put(filepath.Join(folder, name), source, check); err != nil {
			return err
		}
	}
	return nil
}

// put writes a file, or wants it to be there.
func put(name string, source []byte, check bool) error {
	if !check {
		return os.WriteFile(name, source, 0o644)
	}
	there, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, source) {
		return fmt.Errorf("%s is not fresh: run `make generate`", name)
	}
	return nil
}
