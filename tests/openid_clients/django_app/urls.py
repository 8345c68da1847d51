"""An app that tells whom it knows."""

from django.http import HttpResponse, JsonResponse
from django.urls import include, path


def me(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return JsonResponse({"email": request.user.email})


urlpatterns = [
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("me", me),
    path("", lambda request: HttpResponse("Welcome")),
]
