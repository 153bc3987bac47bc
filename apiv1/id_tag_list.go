package apiv1

import (
	"bufio"
	"context"
	"io"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/export"
	"leyden/rest"
	"leyden/taglist"
)

type listIDTagsInput struct {
	Listed      string `query:"listed" enum:"true,false" doc:"Only those that were listed, or only those that were merely seen."`
	Status      string `query:"status" enum:"Accepted,Blocked" doc:"Only those with this status."`
	ParentIDTag string `query:"parentIdTag" maxLength:"255" doc:"Only those of this group, whatever its case."`
	Text        string `query:"q" maxLength:"255" doc:"Only those with this text in the idTag or the note, whatever its case."`
	rest.Window
}

type idTagList struct {
	IDTags     []idTag    `json:"idTags"`
	Pagination pagination `json:"pagination"`
}

type importIDTagsInput struct {
	DryRun  bool   `query:"dryRun" doc:"Only say what would be done, and what is wrong."`
	RawBody []byte `contentType:"text/csv"`
}

// tagImport says what became of a list of idTags.
type tagImport struct {
	Added     int                `json:"added" doc:"Were not listed before." example:"12"`
	Changed   int                `json:"changed" doc:"Were listed, and differ." example:"3"`
	Unchanged int                `json:"unchanged" doc:"Were listed as they are." example:"250"`
	Errors    []tagImportProblem `json:"errors" doc:"What is wrong, at most the first hundred or so; only in a dry run. Nothing is taken of a list with errors."`
}

type tagImportProblem struct {
	Line   *int    `json:"line" doc:"From 1; null for the list as a whole." example:"7"`
	Column *string `json:"column" doc:"As the list names it; null for the line as a whole." example:"expiryDate"`
	Reason string  `json:"reason" example:"must be a time like 2030-01-31T12:00:00Z or a day like 2030-01-31"`
}

func (a *api) serveIDTagLists() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/id-tags", ID: "v1ListIDTags", Tag: tagIDTags,
		Summary: "List idTags",
		Description: "The idTags that all given filters select, by their value: those that were listed and those that were merely seen.\n\n" +
			"`format=csv` streams the whole list in the form that the import takes, without those that were merely seen unless " +
			"`listed=false` asks for them; `limit` and `offset` do not apply then. " +
			"A text that a spreadsheet could take for a formula begins with an apostrophe.",
		Scope: auth.ChargersRead,
	}, a.idTagListing())
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/id-tags/import", ID: "v1ImportIDTags", Tag: tagIDTags,
		Summary: "Import idTags",
		Description: "Adds the idTags of a CSV list and replaces those that are there, all of them or none. The first line names the " +
			"columns: `idTag`, `status`, `expiryDate`, `parentIdTag`, `maxActiveTransactions`, `vehicleId`, `note`, in any order and case; " +
			"idTag alone is required. What the list has no column for stays as it is; an empty cell takes something away. " +
			"Commas, semicolons or tabs, quotes as RFC 4180 has them, UTF-8; at most 50000 idTags and 4 MiB. " +
			"What was exported changes nothing.\n\n" +
			"If anything is wrong the reply is 400, with lines and columns in `details`.",
		Scope: auth.TagsWrite, MaxBody: maxLargeBody,
	}, a.importIDTags)
}

// idTagListing lists idTags; CSV is what the import takes.
func (a *api) idTagListing() listing[listIDTagsInput, idTagList, idTag] {
	l := inParts("id-tags", partRows, a.listIDTags, func(l *idTagList) []idTag { return l.IDTags })
	l.own = a.exportIDTags
	return l
}

func (in *listIDTagsInput) query() leyden.TokenQuery {
	q := leyden.TokenQuery{Status: in.Status, Parent: in.ParentIDTag, Text: in.Text}
	if in.Listed != "" {
		q.Listed = new(in.Listed == "true")
	}
	return q
}

func (a *api) listIDTags(ctx context.Context, in *listIDTagsInput) (*bodied[idTagList], error) {
	q := in.query()
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Offset, q.After = part.Limit, part.Offset, part.After
	tags, total, err := a.Ledger.Registry().Tokens(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[idTagList])
	out.Body.IDTags, out.Body.Pagination = paged(ctx, in.Window, tags, total,
		func(t *leyden.Token) leyden.Cursor { return leyden.Cursor{Name: leyden.IDToken{Value: t.Value}.Fold()} }, presentTag)
	return out, nil
}

// exportIDTags writes the CSV that the import takes; other formats have all that
// a page has.
func (a *api) exportIDTags(ctx context.Context, in *listIDTagsInput, f export.Format) (*ownFile, error) {
	if f != export.CSV {
		return nil, nil
	}
	q := in.query()
	if q.Listed == nil {
		q.Listed = new(true)
	}
	counted := q
	counted.Limit = 1
	_, total, err := a.Ledger.Registry().Tokens(ctx, counted)
	if err != nil {
		return nil, err
	}
	return &ownFile{total, func(w io.Writer) (rows int64, err error) {
		buffered := bufio.NewWriterSize(w, exportBuffer)
		err = taglist.Write(buffered, func(yield func(leyden.Token, error) bool) {
			for t, err := range a.Ledger.Registry().ScanTokens(ctx, q) {
				if !yield(t, err) {
					return
				}
				rows++
			}
		})
		if err != nil {
			return rows, err
		}
		return rows, buffered.Flush()
	}}, nil
}

const exportBuffer = 32 << 10 // bytes that leave at a time

func (a *api) importIDTags(ctx context.Context, in *importIDTagsInput) (*bodied[tagImport], error) {
	result, err := taglist.Import(ctx, a.Ledger.Registry(), in.RawBody, a.Ledger.Now(), in.DryRun)
	if err != nil {
		return nil, err
	}
	if len(result.Problems) > 0 && !in.DryRun {
		return nil, refusedList(result.Problems)
	}
	out := tagImport{result.Added, result.Changed, result.Unchanged, make([]tagImportProblem, len(result.Problems))}
	for i, p := range result.Problems {
		out.Errors[i] = tagImportProblem{orNull(p.Line), orNull(p.Column), p.Reason}
	}
	return &bodied[tagImport]{out}, nil
}

// refusedList is the 400 that tells what is wrong with a list.
func refusedList(problems []taglist.Problem) error {
	e := rest.Errorf(http.StatusBadRequest, "nothing was imported: the list has errors")
	for _, p := range problems {
		e.Details = append(e.Details, rest.Detail{Field: p.Place(), Reason: p.Reason})
	}
	return e
}
