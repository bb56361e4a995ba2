package simulator

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
)

// generated is a PNG of about so many bytes, so that tests and the page need not
// carry large files: noise, which no encoder makes smaller.
func generated(size int) []byte {
	side := max(int(math.Sqrt(float64(size)/4)), 8)
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	rnd := rand.New(rand.NewPCG(uint64(size), 1))
	for i := 0; i+8 <= len(img.Pix); i += 8 {
		n := rnd.Uint64()
		for j := range 8 {
			img.Pix[i+j] = byte(n >> (8 * j))
		}
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.NoCompression}
	if e.Encode(&b, img) != nil {
		panic("simulator: a picture in memory was not encoded")
	}
	return b.Bytes()
}
