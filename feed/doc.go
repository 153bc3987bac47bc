// Package feed lets others follow what happens in the ledger: every change that
// is announced, once or more, in the order of commits.
//
// # What it promises
//
// A [leyden.Notice] is written in the commit of what it announces, and its Seq
// rises in the order of commits: once a Seq was seen, no lower one appears. Who
// reads on from the Last of the [Page] before, also over restarts of either side,
// misses nothing. What was forgotten since is a [ForgottenError], never a gap
// without a word.
//
// A [Store] is read by pages of bounded size and work, however few notices a
// [Query] selects. A [Feed] wakes all that wait with one broadcast after commits
// of this process, and looks once a second for those of others. The newest
// notices are kept in memory, so that thousands of followers cost one read.
//
// Old notices are forgotten, a few at a time, the oldest first, and never one
// that somebody who is owed it still needs.
package feed
