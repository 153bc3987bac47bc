package apiv1

import (
	"bufio"
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/rest"
	"leyden/taglist"
)

type listIDTagsInput struct {
	Listed      string `query:"listed" enum:"true,false" doc:"Only those that were listed, or only those that were merely seen."`
	Status      string `query:"status" enum:"Accepted,Blocked" doc:"Only those with this status."`
	ParentIDTag string `query:"parentIdTag" maxLength:"255" doc:"Only those of this group, whatever its case."`
	Text        string `query:"q" maxLength:"255" doc:"Only those with this text in the idTag or the note, whatever its case."`
	Format      string `query:"format" enum:"csv" doc:"Streams the whole list as CSV."`
	rest.Window
}

type idTagList struct {
	IDTags     []idTag    `json:"idTags"`
	Pagination pagination `json:"pagination"`
}

type listIDTagsOutput struct {
	rest.Stream
	Disposition string `header:"Content-Disposition" doc:"With format=csv: a name for the file."`
	Body        idTagList
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
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/id-tags", ID: "v1ListIDTags", Tag: tagIDTags,
		Summary: "List idTags",
		Description: "The idTags that all given filters select, by their value: those that were listed and those that were merely seen.\n\n" +
			"`format=csv` streams the whole list in the form that the import takes, without those that were merely seen unless " +
			"`listed=false` asks for them; `limit` and `offset` do not apply then. " +
			"A text that a spreadsheet could take for a formula begins with an apostrophe.",
		Scope: auth.ChargersRead, Streams: []string{contentCSV}, Timeout: -1,
	}, a.listIDTags)
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

func (a *api) listIDTags(ctx context.Context, in *listIDTagsInput) (*listIDTagsOutput, error) {
	q := leyden.TokenQuery{Status: in.Status, Parent: in.ParentIDTag, Text: in.Text, Limit: in.Limit, Offset: in.Offset}
	if in.Listed != "" {
		q.Listed = new(in.Listed == "true")
	}
	if in.Format != "" {
		return a.exportIDTags(ctx, q), nil
	}
	ctx, cancel := context.WithTimeout(ctx, rest.RequestTimeout)
	defer cancel()
	tags, total, err := a.Ledger.Registry().Tokens(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &listIDTagsOutput{Body: idTagList{make([]idTag, len(tags)), paginationOf(in.Window, total)}}
	for i := range tags {
		out.Body.IDTags[i] = presentTag(&tags[i])
	}
	return out, nil
}

// exportIDTags streams all that q selects.
func (a *api) exportIDTags(ctx context.Context, q leyden.TokenQuery) *listIDTagsOutput {
	if q.Listed == nil {
		q.Listed = new(true)
	}
	out := &listIDTagsOutput{Disposition: `attachment; filename="id-tags.csv"`}
	out.Send(contentCSV+"; charset=utf-8; header=present", func(w rest.StreamWriter) error {
		buffered := bufio.NewWriterSize(w, exportBuffer)
		if err := taglist.Write(buffered, a.Ledger.Registry().ScanTokens(ctx, q)); err != nil {
			return err
		}
		return buffered.Flush()
	})
	return out
}

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
