package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// uploadURL is .ams.ms.GenerateURLForUploadFile. The place belongs to the agent
// until the file is published.
func (c *agentConn) uploadURL(q *agentRequest) agentAnswer {
	var b struct {
		FileSize text   `json:"fileSize"`
		FileType string `json:"fileType"`
	}
	if json.Unmarshal(q.Body, &b) != nil {
		return wrong("fileSize and fileType are required")
	}
	n, err := strconv.ParseInt(string(b.FileSize), 10, 64)
	rules := c.desk.sim.settings.Load().Files
	switch {
	case err != nil || n < 1:
		return wrong("fileSize must be a number of bytes")
	case !slices.Contains(rules.AgentTypes, b.FileType):
		return wrong("fileType must be one of " + strings.Join(rules.AgentTypes, ", "))
	case n > rules.AgentMaxBytes:
		return wrong("file is too large")
	}
	file := c.desk.sim.newFile(c.desk.acc, c.who.pid, "agent", b.FileType, "", n)
	return agentAnswer{kind: urlResponse, code: http.StatusOK, body: c.desk.sim.temporary(http.MethodPut, file.ID)}
}

// urlResponse is the type of the response to both requests for a URL.
const urlResponse = ".ams.ms.GenerateURLResponse"

// downloadURL is .ams.ms.GenerateURLForDownloadFile.
func (c *agentConn) downloadURL(q *agentRequest) agentAnswer {
	var b struct {
		RelativePath string `json:"relativePath"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.RelativePath == "" {
		return wrong("relativePath is required")
	}
	file, ok := c.desk.sim.files.get(b.RelativePath)
	if !ok || file.Site != c.desk.acc.cfg.SiteID || file.Disk == "" {
		return wrong("unknown relativePath")
	}
	return agentAnswer{kind: urlResponse, code: http.StatusOK, body: c.desk.sim.temporary(http.MethodGet, file.ID)}
}

// handOver makes a file that an agent publishes the consumer's to fetch, or says
// why it cannot be published.
func (c *agentConn) handOver(f *hostedFile, to *consumer) (problem string) {
	stored, ok := c.desk.sim.files.get(f.RelativePath)
	switch {
	case !ok || stored.Disk == "" || stored.Site != c.desk.acc.cfg.SiteID:
		return "nothing was uploaded under relativePath"
	case stored.Owner != c.who.pid && stored.Owner != to.lp:
		return "the file is not the agent's"
	case jpeg(stored.Type) != jpeg(f.FileType):
		return "fileType is not the one the upload was asked for with"
	case stored.Size != stored.Declared:
		return "the file does not have the size the upload was asked for with"
	}
	c.desk.sim.files.give(f.RelativePath, to.lp)
	return ""
}

// give changes whose file it is.
func (f *fileStore) give(id, owner string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file := f.files[id]; file != nil {
		file.Owner = owner
	}
}
