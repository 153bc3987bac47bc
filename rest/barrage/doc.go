// Package barrage throws random and hostile requests at every operation of an
// OpenAPI document, and says what a server made of them that it may not. It is
// for tests.
//
// # What is thrown
//
// A third of the requests is valid by the schemas, with values that earlier
// replies told (so that commands reach stations and ids lead somewhere), a third
// breaks one constraint of an otherwise valid request, and a third is hostile:
// broken JSON, numbers beyond all types, deep nesting, keys twice, NUL bytes and
// no UTF-8, wrong content types, climbing paths, long and repeated parameters,
// bad percent escapes, methods that do not exist, odd headers, wrong credentials,
// bodies that lie about their length.
//
// # What is wanted
//
// Every reply keeps the contract (package resttest). No reply is a 5xx, but the
// 502, 503 and 504 of operations that wait for stations. What breaks a constraint
// of the document is refused. A request that is refused, and one that only reads,
// changes nothing of what is kept. The next good request is answered.
//
// # How it repeats
//
// The same seed throws the same requests, as long as the server answers alike:
// a failure prints how to run again up to the request that failed, and the
// request to the letter. Inside testing/synctest nothing depends on speed, and
// what waits for a silent station costs no time.
package barrage
