package apiv1

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"time"

	"leyden"
	"leyden/rest"
	"leyden/sheet"
)

const (
	contentCSV    = "text/csv"
	contentNDJSON = "application/x-ndjson"
	contentJSON   = "application/json"

	exportBuffer = 32 << 10 // bytes that leave at a time
)

// exportTransactions streams all that q selects, one transaction at a time.
func (a *api) exportTransactions(ctx context.Context, format string, q leyden.Query) *listTransactionsOutput {
	contentType, write := contentJSON, writeJSON
	out := &listTransactionsOutput{}
	switch format {
	case "csv":
		contentType, write = contentCSV+"; charset=utf-8; header=present", writeCSV
	case "ndjson":
		contentType, write = contentNDJSON, writeNDJSON
	}
	if format != "json" {
		out.Disposition = fmt.Sprintf("attachment; filename=%q", "transactions."+format)
	}
	all, now := a.Ledger.Store().Scan(ctx, q), a.Ledger.Now()
	out.Send(contentType, func(w rest.StreamWriter) error {
		buffered := bufio.NewWriterSize(w, exportBuffer)
		if err := write(buffered, all, now); err != nil {
			return err
		}
		return buffered.Flush()
	})
	return out
}

// writeNDJSON writes transactions as v1 shows them at now, one JSON object a
// line.
func writeNDJSON(w io.Writer, all iter.Seq2[leyden.Transaction, error], now time.Time) error {
	for t, err := range all {
		if err != nil {
			return err
		}
		line, err := rest.Encode(present(&t, now))
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes the same document as a page that held them all.
func writeJSON(w io.Writer, all iter.Seq2[leyden.Transaction, error], now time.Time) error {
	n, before := 0, `{"transactions":[`
	for t, err := range all {
		if err != nil {
			return err
		}
		item, err := rest.Encode(present(&t, now))
		if err != nil {
			return err
		}
		if _, err := w.Write(append([]byte(before), item...)); err != nil {
			return err
		}
		before = ","
		n++
	}
	if n == 0 {
		if _, err := io.WriteString(w, before); err != nil {
			return err
		}
	}
	end, err := rest.Encode(pagination{Total: n, Limit: n})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `],"pagination":%s}`, end)
	return err
}

// writeCSV writes transactions as v1 shows them at now, after a line with the
// names of the fields, as RFC 4180 has it. Unknown is empty, the flags have
// semicolons between them, and a text that a spreadsheet could take for a
// formula begins with an apostrophe.
func writeCSV(w io.Writer, all iter.Seq2[leyden.Transaction, error], now time.Time) error {
	fields := reflect.VisibleFields(reflect.TypeFor[Transaction]())
	row := make([]string, len(fields))
	for i, f := range fields {
		row[i] = f.Tag.Get("json")
	}
	out := sheet.NewWriter(w)
	if err := out.Write(row); err != nil {
		return err
	}
	for t, err := range all {
		if err != nil {
			return err
		}
		v := reflect.ValueOf(present(&t, now))
		for i := range fields {
			if row[i], err = cell(v.Field(i).Interface()); err != nil {
				return err
			}
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cell writes one value of a transaction as its JSON says it, without the
// quotes of a text.
func cell(v any) (string, error) {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ";"), nil
	}
	data, err := rest.Encode(v)
	if err != nil {
		return "", err
	}
	text := string(data)
	switch {
	case text == "null":
		return "", nil
	case text[0] != '"':
		return text, nil
	}
	if err := json.Unmarshal(data, &text); err != nil {
		return "", err
	}
	return sheet.Harmless(text), nil
}
