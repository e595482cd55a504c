package reader

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the decoder
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"hearth.internal/document/filetype"
)

// libheif and libde265, compiled to WebAssembly: see libheif/README.md.
//
//go:embed libheif/heif.wasm.gz
var heifModule []byte

// heicMemory is what the decoder may use, in pages of 64 KiB: 768 MiB.
const heicMemory = 768 << 4

// heic decodes HEICs. The decoder cannot reach anything but the memory that it is given.
type heic struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

func newHEIC(ctx context.Context, dir string) (*heic, error) {
	z, err := gzip.NewReader(bytes.NewReader(heifModule))
	if err != nil {
		return nil, fmt.Errorf("HEIC decoder: %w", err)
	}
	code, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("HEIC decoder: %w", err)
	}
	config, err := runtimeConfig(dir, heicMemory)
	if err != nil {
		return nil, err
	}
	h := &heic{runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, h.runtime); err != nil {
		return nil, fmt.Errorf("HEIC decoder: %w", err)
	}
	if h.module, err = h.runtime.CompileModule(ctx, code); err != nil {
		return nil, fmt.Errorf("HEIC decoder: %w", err)
	}
	return h, nil
}

// runtimeConfig keeps what is compiled in the directory, if there is one.
func runtimeConfig(dir string, pages uint32) (wazero.RuntimeConfig, error) {
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(pages)
	if dir == "" {
		return config, nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cache of compiled decoders: %w", err)
	}
	return config.WithCompilationCache(cache), nil
}

func (d *decoders) decodeHEIC(body []byte) (image.Image, error) {
	m, err := d.heic.decode(context.Background(), body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, nil
}

func (h *heic) decode(ctx context.Context, body []byte) (image.Image, error) {
	module, err := h.runtime.InstantiateModule(ctx, h.module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, fmt.Errorf("start the decoder: %w", err)
	}
	defer func() { _ = module.Close(ctx) }() // all of its memory goes with it
	c := &heicCall{ctx: ctx, module: module}
	if c.file, err = c.alloc(len(body)); err != nil {
		return nil, err
	}
	if !module.Memory().Write(c.file, body) {
		return nil, errHEICMemory
	}
	c.size = uint64(len(body))
	if c.header, err = c.alloc(4 * 5); err != nil {
		return nil, err
	}
	if err := c.run(true, 0); err != nil {
		return nil, err
	}
	return c.image()
}

var errHEICMemory = fmt.Errorf("the decoder has too little memory: %w", ErrTooHard)

// heicCall is one image in the decoder.
type heicCall struct {
	ctx    context.Context //nolint:containedctx // it lives as long as one call of decode
	module api.Module
	file   uint32
	size   uint64
	header uint32 // width, height, colour space, chroma, premultiplied
}

func (c *heicCall) alloc(n int) (uint32, error) {
	p, err := c.module.ExportedFunction("malloc").Call(c.ctx, uint64(n)) //nolint:gosec // not negative
	if err != nil {
		return 0, fmt.Errorf("the decoder's memory: %w", err)
	}
	if p[0] == 0 {
		return 0, errHEICMemory
	}
	return uint32(p[0]), nil //nolint:gosec // an address of 32 bits
}

// run reads the header, or decodes the pixels to out.
func (c *heicCall) run(headerOnly bool, out uint32) error {
	only := uint64(0)
	if headerOnly {
		only = 1
	}
	at := func(i uint32) uint64 { return uint64(c.header + 4*i) }
	ok, err := c.module.ExportedFunction("decode").Call(c.ctx, uint64(c.file), c.size, only, at(0), at(1), at(2), at(3), at(4), uint64(out))
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if ok[0] == 0 {
		return errHEICRefused
	}
	return nil
}

var errHEICRefused = errors.New("libheif refuses it")

// What the decoder calls its colours.
const (
	heifYCbCr, heifRGB, heifGray = 0, 1, 2
	heif420, heif422, heif444    = 1, 2, 3
)

// heifAlign is what the length of the decoder's rows is a multiple of.
const heifAlign = 16

func align(n int) int { return (n + heifAlign - 1) / heifAlign * heifAlign }

// image decodes what the header has announced. What it turns and crops, it turns and crops itself.
func (c *heicCall) image() (image.Image, error) {
	var header [5]int
	for i := range header {
		v, ok := c.module.Memory().ReadUint32Le(c.header + 4*uint32(i)) //nolint:gosec // five of them
		if !ok {
			return nil, errHEICMemory
		}
		header[i] = int(v)
	}
	width, height, space, ratio, premultiplied := header[0], header[1], header[2], header[3], header[4] == 1
	if err := filetype.Pixels(width, height); err != nil {
		return nil, err
	}
	r := image.Rect(0, 0, width, height)
	switch space {
	case heifYCbCr:
		return c.yCbCr(r, ratio)
	case heifGray:
		pix, err := c.pixels(align(width) * height)
		return &image.Gray{Pix: pix, Stride: align(width), Rect: r}, err
	case heifRGB:
		pix, err := c.pixels(align(4*width) * height)
		if premultiplied {
			return &image.RGBA{Pix: pix, Stride: align(4 * width), Rect: r}, err
		}
		return &image.NRGBA{Pix: pix, Stride: align(4 * width), Rect: r}, err
	}
	return nil, fmt.Errorf("colour space %d", space)
}

func (c *heicCall) yCbCr(r image.Rectangle, ratio int) (image.Image, error) {
	m := &image.YCbCr{Rect: r, YStride: align(r.Dx())}
	rows := r.Dy()
	switch ratio {
	case heif420:
		m.SubsampleRatio, m.CStride, rows = image.YCbCrSubsampleRatio420, align((r.Dx()+1)/2), (r.Dy()+1)/2
	case heif422:
		m.SubsampleRatio, m.CStride = image.YCbCrSubsampleRatio422, align((r.Dx()+1)/2)
	case heif444:
		m.SubsampleRatio, m.CStride = image.YCbCrSubsampleRatio444, align(r.Dx())
	default:
		return nil, fmt.Errorf("chroma %d", ratio)
	}
	y, colours := m.YStride*r.Dy(), m.CStride*rows
	pix, err := c.pixels(y + 2*colours)
	if err != nil {
		return nil, err
	}
	m.Y, m.Cb, m.Cr = pix[:y:y], pix[y:y+colours:y+colours], pix[y+colours:]
	return m, nil
}

// pixels decodes, and copies the pixels out of the decoder's memory.
func (c *heicCall) pixels(n int) ([]byte, error) {
	out, err := c.alloc(n)
	if err != nil {
		return nil, err
	}
	if err := c.run(false, out); err != nil {
		return nil, err
	}
	pix, ok := c.module.Memory().Read(out, uint32(n)) //nolint:gosec // at most the pixels that are allowed
	if !ok {
		return nil, errHEICMemory
	}
	return bytes.Clone(pix), nil
}
