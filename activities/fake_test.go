package activities

import (
	"context"
	"io"
	"sync"

	"parley/liveperson"
)

// store is the cloud's store of files, and what else a cloud is asked that has no
// order. It keeps no file: it reads as a far side does.
type store struct {
	mu        sync.Mutex
	uploads   []liveperson.Upload
	sizes     []int64
	files     []liveperson.PublishFile
	download  func() (liveperson.Downloaded, error)
	uploading func(context.Context) error // happens before an upload
	publish   func() error                // happens instead of a publish, if it fails
	profiles  []liveperson.SetProfile
	urges     []liveperson.Urge
	asked     []liveperson.Engagement
	campaign  func(context.Context) (liveperson.Campaign, error)
	opens     []liveperson.Open
	closes    []liveperson.Close
	accepts   []liveperson.Accept
	publishes []liveperson.Publish
}

func (s *store) Upload(ctx context.Context, u liveperson.Upload) (string, error) {
	if s.uploading != nil {
		if err := s.uploading(ctx); err != nil {
			return "", err
		}
	}
	n, err := io.Copy(io.Discard, io.NewSectionReader(u.Body, 0, u.Size))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads, s.sizes = append(s.uploads, u), append(s.sizes, n)
	return "/v1/uploaded", err
}

func (s *store) PublishFile(_ context.Context, p liveperson.PublishFile) (liveperson.Published, error) {
	if s.publish != nil {
		if err := s.publish(); err != nil {
			return liveperson.Published{Sequence: -1}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, p)
	return liveperson.Published{Sequence: 9}, nil
}

func (s *store) Download(context.Context, liveperson.Download) (liveperson.Downloaded, error) {
	return s.download()
}

func (s *store) SetProfile(_ context.Context, p liveperson.SetProfile) error {
	s.profiles = append(s.profiles, p)
	return nil
}

func (s *store) Urge(_ context.Context, u liveperson.Urge) error {
	s.urges = append(s.urges, u)
	return nil
}

func (s *store) Engagement(ctx context.Context, e liveperson.Engagement) (liveperson.Campaign, error) {
	s.asked = append(s.asked, e)
	if s.campaign == nil {
		return liveperson.Campaign{}, nil
	}
	return s.campaign(ctx)
}
