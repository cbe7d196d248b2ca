"""The pages about the API: for people, who log in as on any other page."""

from django.urls import path

from pairselect.api import views

app_name = "tokens"
urlpatterns = [
    path("people/tokens/", views.tokens, name="tokens"),
    path("people/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke"),
    path("api/", views.reference, name="reference"),
]
