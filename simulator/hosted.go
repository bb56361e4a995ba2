package simulator

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// longestPreview is how large a preview may be, as it stands in the message.
//
// Source: connector-api-send-api-examples, "Share an image".
const longestPreview = 30_000

// hostedFile is the message of a hosted/file.
type hostedFile struct {
	Caption      string `json:"caption,omitempty"`
	FileType     string `json:"fileType"`
	RelativePath string `json:"relativePath"`
	Preview      string `json:"preview,omitempty"`
}

// FileView is what is shown of a file in a transcript.
type FileView struct {
	Path    string `json:"path"`
	Type    string `json:"type"`
	Caption string `json:"caption"`
	Preview int    `json:"preview"` // characters
	Size    int64  `json:"size"`
	Sum     string `json:"sum"`
	URL     string `json:"url"` // on this server, for the page
}

// readHosted checks the form of a consumer's hosted/file.
func readHosted(raw json.RawMessage) (*hostedFile, *reply) {
	m, ok := object(raw)
	if !ok {
		return nil, invalid("message of a hosted/file must be an object")
	}
	for name, v := range m {
		if !slices.Contains([]string{"caption", "fileType", "relativePath", "preview"}, name) {
			return nil, invalid("message of a hosted/file: unknown property")
		}
		if _, isText := v.(string); !isText {
			return nil, invalid("message of a hosted/file: " + name + " must be text")
		}
	}
	var f hostedFile
	if json.Unmarshal(raw, &f) != nil || f.RelativePath == "" || f.FileType == "" {
		return nil, invalid("message of a hosted/file needs relativePath and fileType")
	}
	if f.Preview != "" {
		if bad := checkPreview(f.Preview); bad != nil {
			return nil, bad
		}
	}
	return &f, nil
}

func checkPreview(p string) *reply {
	kind, data, ok := strings.Cut(p, ",")
	if !ok || !strings.HasPrefix(kind, "data:image/") || !strings.HasSuffix(kind, ";base64") {
		return invalid("preview must be a data URI of an image")
	}
	if _, err := base64.StdEncoding.DecodeString(data); err != nil || data == "" {
		return invalid("preview must be a data URI of an image")
	}
	if len(p) >= longestPreview {
		return invalid("preview is too large")
	}
	return nil
}

// checkHosted compares a hosted/file with what was uploaded.
func (s *Simulator) checkHosted(co *consumer, site string, f *hostedFile) *reply {
	stored, ok := s.files.get(f.RelativePath)
	switch {
	case !ok || stored.Disk == "" || stored.Site != site:
		return invalid("nothing was uploaded under relativePath")
	case stored.Owner != co.lp:
		return notYours()
	case jpeg(stored.Type) != jpeg(f.FileType):
		return invalid("fileType is not the one the upload was asked for with")
	case stored.Size != stored.Declared:
		return invalid("file does not have the size the upload was asked for with")
	case !sniffed(stored.Type, s.files.head(stored)):
		return invalid("file is not of its type")
	}
	return nil
}

// jpeg is the one name of a type with two.
func jpeg(kind string) string {
	if kind == "JPEG" {
		return "JPG"
	}
	return kind
}

// fileView shows the file of an event; nil when it has none.
func (s *Simulator) fileView(e *event) *FileView {
	if e.file == nil {
		return nil
	}
	v := &FileView{Path: e.file.RelativePath, Type: e.file.FileType, Caption: e.file.Caption, Preview: len(e.file.Preview)}
	if stored, ok := s.files.get(v.Path); ok {
		v.Size, v.Sum = stored.Size, stored.Sum
		v.URL = "/sim/files" + stored.ID
	}
	return v
}

// hostedOf reads the file out of an event of anybody's; nil when it has none.
func hostedOf(raw json.RawMessage) *hostedFile {
	var in struct {
		ContentType string          `json:"contentType"`
		Message     json.RawMessage `json:"message"`
	}
	var f hostedFile
	if json.Unmarshal(raw, &in) != nil || in.ContentType != "hosted/file" || json.Unmarshal(in.Message, &f) != nil {
		return nil
	}
	return &f
}
