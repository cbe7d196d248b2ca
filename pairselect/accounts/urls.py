from django.urls import path

from pairselect.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.people, name="people"),
    path("<int:pk>/password/", views.new_password, name="new_password"),
]
