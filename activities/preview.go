package activities

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	_ "image/gif" // the first picture of one that moves
	"image/jpeg"
	_ "image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/sync/semaphore"
)

// A preview is a data URI in the message itself, of less than 30 KB; agents see
// little of a file without one.
//
// Source: connector-api-send-api-examples (share image).
const (
	mostPreview  = 30_000 // bytes of the data URI
	previewSide  = 320    // pixels, the longer side
	previewBegin = "data:image/jpeg;base64,"
)

// previewMemory bounds, in bytes, what all pictures take that are looked at at the
// same time. One that needs more has no preview: 96 MiB is a picture of 33 million
// pixels as cameras make them, or of 25 million with transparency.
const previewMemory = 96 << 20

// previews makes previews, in bounded memory.
type previews struct{ memory *semaphore.Weighted }

func newPreviews() *previews { return &previews{semaphore.NewWeighted(previewMemory)} }

// of returns a preview of a picture, empty where there can be none: of what is no
// picture, is broken, or is too large to look at.
func (p *previews) of(ctx context.Context, file io.ReaderAt, size int64) string {
	need, ok := memoryOf(io.NewSectionReader(file, 0, size))
	if !ok || need > previewMemory || p.memory.Acquire(ctx, need) != nil {
		return ""
	}
	defer p.memory.Release(need)
	picture, _, err := image.Decode(bufio.NewReader(io.NewSectionReader(file, 0, size)))
	if err != nil {
		return ""
	}
	return thumbnail(picture)
}

// memoryOf is how much memory a picture takes while it is decoded and made smaller.
func memoryOf(file io.ReadSeeker) (int64, bool) {
	c, kind, err := image.DecodeConfig(bufio.NewReader(file))
	if err != nil || c.Width <= 0 || c.Height <= 0 || int64(c.Width) > previewMemory/int64(c.Height) {
		return 0, false
	}
	perPixel := int64(4)
	switch c.ColorModel {
	case color.YCbCrModel:
		perPixel = 3
	case color.GrayModel:
		perPixel = 1
	case color.RGBA64Model, color.NRGBA64Model:
		perPixel = 8
	}
	if _, palette := c.ColorModel.(color.Palette); palette {
		perPixel = 1
	}
	if kind == "jpeg" && progressive(file) {
		perPixel *= 5 // the decoder keeps 32 bits for each sample until the last scan
	}
	const working = 4 * 4 * previewSide * previewSide // the first, rough reduction
	return int64(c.Width)*int64(c.Height)*perPixel + working, true
}

// progressive says whether a JPEG comes in several scans.
func progressive(file io.ReadSeeker) bool {
	if _, err := file.Seek(2, io.SeekStart); err != nil {
		return true
	}
	r := bufio.NewReader(file)
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0xff {
			return true // nobody knows
		}
		switch marker := head[1]; {
		case marker == 0xc2:
			return true
		case marker == 0xc0, marker == 0xc1, marker == 0xda:
			return false
		}
		if _, err := r.Discard(max(int(head[2])<<8|int(head[3]), 2) - 2); err != nil {
			return true
		}
	}
}

// thumbnail makes a picture small: roughly at first, which takes no memory, then well.
func thumbnail(picture image.Image) string {
	bounds := picture.Bounds()
	for side, quality := previewSide, 75; side >= 16; side, quality = side*2/3, 60 {
		from := picture
		if max(bounds.Dx(), bounds.Dy()) > 2*side {
			from = reduced(draw.ApproxBiLinear, picture, 2*side)
		}
		if max(from.Bounds().Dx(), from.Bounds().Dy()) > side {
			from = reduced(draw.CatmullRom, from, side)
		}
		var out bytes.Buffer
		if jpeg.Encode(&out, onWhite(from), &jpeg.Options{Quality: quality}) != nil {
			return ""
		}
		if len(previewBegin)+base64.StdEncoding.EncodedLen(out.Len()) < mostPreview {
			return previewBegin + base64.StdEncoding.EncodeToString(out.Bytes())
		}
	}
	return ""
}

func reduced(by draw.Scaler, picture image.Image, side int) image.Image {
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	longer := max(w, h)
	to := image.NewRGBA(image.Rect(0, 0, max(1, w*side/longer), max(1, h*side/longer)))
	by.Scale(to, to.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	return to
}

// onWhite is a picture without transparency, which JPEG shows as black.
func onWhite(picture image.Image) image.Image {
	if o, ok := picture.(interface{ Opaque() bool }); ok && o.Opaque() {
		return picture
	}
	to := image.NewRGBA(picture.Bounds())
	draw.Draw(to, to.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(to, to.Bounds(), picture, picture.Bounds().Min, draw.Over)
	return to
}
