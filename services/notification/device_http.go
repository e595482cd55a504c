package notification

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// DevicePath names a device.
type DevicePath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The device"`
}

type devicesOutput struct{ Body page.List[Device] }

func (s *Service) getDevices(ctx context.Context, in *page.Query) (*devicesOutput, error) {
	list, err := s.Devices(ctx, identity.From(ctx), *in)
	if err != nil {
		return nil, err
	}
	return &devicesOutput{Body: list}, nil
}

type postDeviceInput struct{ Body NewDevice }

type deviceOutput struct {
	Status int `json:"-"`
	Body   Device
}

func (s *Service) postDevice(ctx context.Context, in *postDeviceInput) (*deviceOutput, error) {
	device, added, err := s.RegisterDevice(ctx, identity.From(ctx), in.Body)
	if err != nil {
		return nil, err
	}
	out := &deviceOutput{Status: http.StatusOK, Body: device}
	if added {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (s *Service) deleteDevice(ctx context.Context, in *DevicePath) (*struct{}, error) {
	return nil, s.RemoveDevice(ctx, identity.From(ctx), in.ID)
}
