// Package vendorcheck holds what we believe of LivePerson against what LivePerson
// itself publishes for node: its validator judges every piece of structured content
// in this repository, and its agent SDK sits at the simulator's desk.
//
// The programs are validate.js and agent.js, with exact versions in package.json and
// package-lock.json; `npm ci` in this folder installs them. Without node, or without
// that, the tests are skipped, except in CI.
package vendorcheck
